package install_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
)

// mirror serves the blobs of an image over real HTTP.
type mirror struct {
	*imagetest.Built
	requests  atomic.Int32
	cutOnce   atomic.Int64 // ends the first pack after that many bytes
	noRanges  bool
	flipPack  bool
	flipIndex bool
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.requests.Add(1)
	data, flip := m.Pack, m.flipPack
	if strings.HasSuffix(r.URL.Path, layout.BlobFile(m.Image.Index.SHA256)) {
		data, flip = m.Index, m.flipIndex
	}
	if flip {
		data = bytes.Clone(data)
		data[len(data)-1] ^= 1
	}
	if m.noRanges {
		r.Header.Del("Range")
	}
	if cut := m.cutOnce.Load(); cut > 0 && len(data) == len(m.Pack) {
		m.cutOnce.Store(0)
		w = &short{w, int(cut)}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// short ends the connection after so many bytes.
type short struct {
	http.ResponseWriter
	left int
}

func (s *short) Write(b []byte) (int, error) {
	n, err := s.ResponseWriter.Write(b[:min(len(b), s.left)])
	if s.left -= n; s.left == 0 {
		http.NewResponseController(s.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func mirrors(t *testing.T, ms ...*mirror) *fetch.Client {
	t.Helper()
	o := fetch.Options{Retries: 1, Backoff: time.Millisecond}
	for _, m := range ms {
		server := httptest.NewServer(m)
		t.Cleanup(server.Close)
		o.Bases = append(o.Bases, server.URL)
	}
	c, err := fetch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func installs(t *testing.T, b *imagetest.Built, c *fetch.Client, change func(*install.Options)) error {
	t.Helper()
	f := slot(t, b.Image.Size)
	o := options(b, c, f)
	if change != nil {
		change(&o)
	}
	if _, err := install.Install(t.Context(), o); err != nil {
		return err
	}
	return install.Verify(t.Context(), f, b.Image)
}

func TestCutConnectionIsContinuedByRange(t *testing.T) {
	m := &mirror{Built: build(t, 4<<20)}
	m.cutOnce.Store(1 << 20)
	if err := installs(t, m.Built, mirrors(t, m), nil); err != nil {
		t.Fatal(err)
	}
	if n := m.requests.Load(); n != 3 {
		t.Errorf("%d requests; index, pack and its rest are 3", n)
	}
}

func TestBadMirrorDoesNotStopTheUpdate(t *testing.T) {
	b := build(t, 4<<20)
	for name, bad := range map[string]*mirror{
		"pack": {Built: b, flipPack: true}, "index": {Built: b, flipIndex: true}, "both": {Built: b, flipPack: true, flipIndex: true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := installs(t, b, mirrors(t, bad, &mirror{Built: b}), nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBadMirrorAloneIsLeftAfterThreeTries(t *testing.T) {
	b := build(t, 2<<20)
	for name, m := range map[string]*mirror{"pack": {Built: b, flipPack: true}, "index": {Built: b, flipIndex: true}} {
		t.Run(name, func(t *testing.T) {
			c := mirrors(t, m)
			if err := installs(t, b, c, nil); !errors.Is(err, install.ErrSource) {
				t.Fatalf("got %v", err)
			}
			before := m.requests.Load()
			if before > 4 {
				t.Errorf("%d requests", before)
			}
			if err := installs(t, b, c, nil); err == nil || m.requests.Load() != before {
				t.Errorf("it was asked again within the same poll: %v", err)
			}
		})
	}
}

func TestBytesAreNotPaidTwiceUnasked(t *testing.T) {
	b := build(t, 4<<20)
	never := errors.New("metered")
	for name, c := range map[string]struct {
		agree func(install.Quote) error
		want  error
	}{
		"nobody to ask": {nil, fetch.ErrRangeIgnored},
		"refused":       {func(install.Quote) error { return never }, never},
		"agreed":        {func(install.Quote) error { return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := &mirror{Built: b, noRanges: true}
			m.cutOnce.Store(1 << 20)
			err := installs(t, b, mirrors(t, m), func(o *install.Options) { o.Agree = c.agree })
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestWrongLengthIsRefused(t *testing.T) {
	b := build(t, 2<<20)
	for name, change := range map[string]func(o *install.Options){
		"index shorter":   func(o *install.Options) { o.Image.Index.Size++ },
		"index longer":    func(o *install.Options) { o.Image.Index.Size-- },
		"index unbounded": func(o *install.Options) { o.Image.Index.Size = 1 << 40 },
		"pack longer":     func(o *install.Options) { o.Image.Pack.Size-- },
		"another image":   func(o *install.Options) { o.Image.SHA256[0]++ },
		"another size":    func(o *install.Options) { o.Image.Size++ },
	} {
		t.Run(name, func(t *testing.T) {
			if err := installs(t, b, mirrors(t, &mirror{Built: b}), change); err == nil || !strings.Contains(err.Error(), "index of slot system") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The slot no longer holds what was saved; the next attempt writes it anew.
func TestLostSlotIsWrittenAnew(t *testing.T) {
	b := build(t, 4<<20)
	c := mirrors(t, &mirror{Built: b})
	f := slot(t, b.Image.Size)
	o := options(b, c, f)
	var saved install.Progress
	o.Save = func(p install.Progress) error { saved = p; return nil }
	if _, err := install.Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, b.Image.Size), 0); err != nil {
		t.Fatal(err)
	}
	o.From = saved
	o.From.At = saved.At * 4 / 5
	if _, err := install.Install(t.Context(), o); !errors.Is(err, install.ErrSlot) {
		t.Fatalf("got %v", err)
	}
	o.From = saved
	if _, err := install.Install(t.Context(), o); err != nil || o.From.At != 0 {
		t.Fatalf("from byte %d: %v", o.From.At, err)
	}
	if err := install.Verify(t.Context(), f, b.Image); err != nil {
		t.Error(err)
	}
}
