package install_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
)

// build makes an image in which some chunks repeat, some compress and some do
// neither.
func build(t *testing.T, size int) *imagetest.Built {
	t.Helper()
	b := built[size]
	if b == nil {
		b = imagetest.Build("system", half(size))
		built[size] = b
	}
	own := *b
	own.Files = maps.Clone(b.Files)
	return &own
}

// built are made once; nothing writes to their bytes.
var built = map[int]*imagetest.Built{}

func half(size int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(size)))
	plain := make([]byte, size)
	for i := range plain[:size/2] {
		plain[i] = byte(r.Uint32())
	}
	copy(plain[size*3/4:], plain[:size/4]) // repeats
	return plain
}

// source serves index and pack from memory, and spoils them on request.
type source struct {
	files  map[string][]byte
	mu     sync.Mutex
	asked  []fetch.Range
	served atomic.Int64
	cut    int64 // end the pack after that many bytes, once; 0 never
	flip   func(path string) bool
}

func sourceOf(b *imagetest.Built) *source { return &source{files: maps.Clone(b.Files)} }

func (s *source) OpenRange(_ context.Context, r fetch.Range) (io.ReadCloser, error) {
	data := s.files[r.Path]
	if int64(len(data)) != r.Size {
		return nil, fmt.Errorf("%s: asked for %d bytes of %d: %w", r.Path, r.Size, len(data), fetch.ErrNotFound)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
	data = bytes.Clone(data[r.From:max(r.To, r.From)])
	if r.To == 0 {
		data = bytes.Clone(s.files[r.Path][r.From:])
	}
	if s.flip != nil && s.flip(r.Path) {
		data[len(data)/2] ^= 1
	}
	var in io.Reader = bytes.NewReader(data)
	if s.cut > 0 && len(data) > int(s.cut) {
		in = io.MultiReader(bytes.NewReader(data[:s.cut]), broken{})
		s.cut = 0
	}
	return &counted{in, s}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type counted struct {
	io.Reader
	s *source
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.s.served.Add(int64(n))
	return n, err
}

func (c *counted) Close() error { return nil }

func slot(t *testing.T, size int64) disk.File {
	t.Helper()
	f, err := disk.OS{}.Create(filepath.Join(t.TempDir(), "slot.img"), size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// segment is what is written between two syncs here.
const segment = 512 << 10

func options(b *imagetest.Built, s install.Source, f disk.File) install.Options {
	o := install.Options{
		Image: b.Image, Source: s, Slot: f,
		Save: func(install.Progress) error { return nil }, Gate: func() error { return nil },
	}
	install.SetSegment(&o, segment)
	return o
}

func TestSlotHoldsWhatWasSigned(t *testing.T) {
	b := build(t, 3<<20)
	f := slot(t, b.Image.Size)
	p, err := install.Install(t.Context(), options(b, sourceOf(b), f))
	if err != nil {
		t.Fatal(err)
	}
	if err := install.Verify(t.Context(), f, b.Image); err != nil {
		t.Fatal(err)
	}
	if p.Downloaded != int64(len(b.Pack)+len(b.Index)) {
		t.Errorf("says it downloaded %d bytes of %d", p.Downloaded, len(b.Pack))
	}
	if len(b.Pack) > len(b.Plain)*3/5 {
		t.Errorf("the pack has %d bytes of %d; nothing repeated or compressed", len(b.Pack), len(b.Plain))
	}
}

// What was saved is on the medium, and only what was not is fetched again.
func TestInstallationGoesOnWhereItWasSaved(t *testing.T) {
	b := build(t, 3<<20)
	f, s := slot(t, b.Image.Size), sourceOf(b)
	s.cut = int64(len(b.Pack)) * 4 / 5
	o := options(b, s, f)
	var saved install.Progress
	o.Save = func(p install.Progress) error { saved = p; return nil }
	if _, err := install.Install(t.Context(), o); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("a cut connection: %v", err)
	}
	if saved.At == 0 {
		t.Fatal("nothing was saved before the cut")
	}
	before := s.served.Load()
	o.From = saved
	if _, err := install.Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if again := s.served.Load() - before; again >= int64(len(b.Pack)) {
		t.Errorf("the second attempt fetched %d bytes of %d", again, len(b.Pack))
	}
	if err := install.Verify(t.Context(), f, b.Image); err != nil {
		t.Fatal(err)
	}
}

func TestSpoiltBytesAreNeverWritten(t *testing.T) {
	b := build(t, 2<<20)
	for name, path := range map[string]string{"index": layout.BlobFile(b.Image.Index.SHA256), "pack": layout.BlobFile(b.Image.Pack.SHA256)} {
		s := sourceOf(b)
		s.flip = func(p string) bool { return p == path }
		f := &faulty{File: slot(t, b.Image.Size)}
		_, err := install.Install(t.Context(), options(b, s, f))
		if !errors.Is(err, install.ErrSource) {
			t.Errorf("a flipped bit in the %s: %v", name, err)
		}
		for _, w := range f.written {
			if !bytes.Equal(w.data, b.Plain[w.at:w.at+int64(len(w.data))]) {
				t.Errorf("a flipped bit in the %s reached the slot", name)
			}
		}
	}
}

func TestPassingDamageIsFetchedAgain(t *testing.T) {
	b := build(t, 2<<20)
	s, times := sourceOf(b), 0
	s.flip = func(p string) bool {
		times++
		return p == layout.BlobFile(b.Image.Pack.SHA256) && times < 3
	}
	f := slot(t, b.Image.Size)
	if _, err := install.Install(t.Context(), options(b, s, f)); err != nil {
		t.Fatal(err)
	}
	if err := install.Verify(t.Context(), f, b.Image); err != nil {
		t.Fatal(err)
	}
}

func TestIndexOfAnotherImageRefused(t *testing.T) {
	b, other := build(t, 2<<20), build(t, 1<<20)
	b.Image.Index = other.Image.Index
	s := sourceOf(b)
	s.files[layout.BlobFile(other.Image.Index.SHA256)] = other.Index
	if _, err := install.Install(t.Context(), options(b, s, slot(t, b.Image.Size))); err == nil || !strings.Contains(err.Error(), "another image") {
		t.Fatalf("got %v", err)
	}
}

// faulty is a slot that records what is written, and fails on request.
type faulty struct {
	disk.File
	written []write
	fail    func(at int64) error
	flip    bool
	syncs   int
}

type write struct {
	at   int64
	data []byte
}

func (f *faulty) WriteAt(b []byte, at int64) (int, error) {
	if f.fail != nil {
		if err := f.fail(at); err != nil {
			return 0, err
		}
	}
	f.written = append(f.written, write{at, bytes.Clone(b)})
	if f.flip && at == 0 {
		b = bytes.Clone(b)
		b[100] ^= 1
	}
	return f.File.WriteAt(b, at)
}

func (f *faulty) Sync() error {
	f.syncs++
	return f.File.Sync()
}

func TestFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	b := build(t, 3<<20)
	f := &faulty{File: slot(t, b.Image.Size)}
	f.fail = func(at int64) error {
		if at > 3<<19 {
			return fmt.Errorf("slot.img: %w", syscall.ENOSPC)
		}
		return nil
	}
	o := options(b, sourceOf(b), f)
	p, err := install.Install(t.Context(), o)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "slot system") {
		t.Fatalf("got %v", err)
	}
	if p.At == 0 {
		t.Fatal("what was synced before is forgotten")
	}
	f.fail, o.From = nil, p
	if _, err := install.Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := install.Verify(t.Context(), f, b.Image); err != nil {
		t.Fatal(err)
	}
}

// A disk that changes what it is given is found out before anything boots.
func TestReadBackFindsALyingDisk(t *testing.T) {
	b := build(t, 1<<20)
	f := &faulty{File: slot(t, b.Image.Size), flip: true}
	if _, err := install.Install(t.Context(), options(b, sourceOf(b), f)); err != nil && !errors.Is(err, install.ErrSlot) {
		t.Fatal(err)
	}
	if err := install.Verify(t.Context(), f, b.Image); !errors.Is(err, install.ErrSlot) {
		t.Fatalf("got %v", err)
	}
}

// Progress is saved only for what a sync has made durable.
func TestNothingIsSavedBeforeItIsSynced(t *testing.T) {
	b := build(t, 3<<20)
	f := &faulty{File: slot(t, b.Image.Size)}
	o := options(b, sourceOf(b), f)
	saves := 0
	o.Save = func(p install.Progress) error {
		if p.At == 0 {
			return nil
		}
		if saves++; f.syncs < saves {
			t.Error("saved before it was synced")
		}
		return nil
	}
	if _, err := install.Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if saves < 2 {
		t.Errorf("saved %d times in 3 MiB", saves)
	}
}

func TestGateHoldsBeforeEverySegment(t *testing.T) {
	b := build(t, 3<<20)
	s := sourceOf(b)
	o := options(b, s, slot(t, b.Image.Size))
	low, asked := errors.New("battery"), 0
	o.Gate = func() error { asked++; return low }
	if _, err := install.Install(t.Context(), o); !errors.Is(err, low) || s.served.Load() != 0 {
		t.Fatalf("a gate that is shut at once: %v after %d bytes", err, s.served.Load())
	}
	asked = 0
	o.Gate = func() error {
		if asked++; asked == 2 {
			return low
		}
		return nil
	}
	p, err := install.Install(t.Context(), o)
	if !errors.Is(err, low) || p.At == 0 {
		t.Fatalf("a gate that shuts on the way: %v, %+v", err, p)
	}
}

func TestCancelEndsTheInstallation(t *testing.T) {
	b := build(t, 2<<20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := install.Install(ctx, options(b, sourceOf(b), slot(t, b.Image.Size))); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
