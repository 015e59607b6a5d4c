package install_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
)

// pair is an image that runs, the next one, and a patch between them.
type pair struct {
	*imagetest.Built
	old         []byte
	table, body []byte
}

// words gives n bytes that pack to about half.
func words(seed uint64, n int) []byte {
	r, out := rand.New(rand.NewPCG(seed, 9)), make([]byte, n)
	for i := range out {
		if i%2 == 0 {
			out[i] = byte(r.Uint32())
		}
	}
	return out
}

// twoImages makes a pair of size bytes each: some places are edited, a stretch
// is moved, one is new, one is empty.
func twoImages(t *testing.T, size int) *pair {
	t.Helper()
	if p := pairs[size]; p != nil {
		return p
	}
	old := words(1, size)
	next := bytes.Clone(old)
	for i := size / 16; i+8 < size/2; i += size / 8 {
		copy(next[i:], "EDITED!!")
	}
	copy(next[size/2:], old[size/8:size/4])             // moved
	copy(next[size*5/8:], words(2, size/8))             // new
	clear(next[size*3/4 : size*3/4+min(size/8, 4<<20)]) // empty
	p := newPair(next, old)
	pairs[size] = p
	return p
}

func newPair(next, old []byte) *pair {
	p := &pair{Built: imagetest.Build("system", next), old: old}
	_, p.table, p.body = p.PatchFrom(old)
	return p
}

// pairs are made once; nothing writes to them.
var pairs = map[int]*pair{}

// phone is where a pair meets: a slot that runs, one to be written, a shelf.
type phone struct {
	*pair
	*testing.T
	source  *source
	options install.Options
	saved   install.Progress
	asked   []install.Quote
}

func (p *pair) phone(t *testing.T) *phone {
	t.Helper()
	h := &phone{pair: p, T: t, source: sourceOf(p.Built)}
	dir := t.TempDir()
	h.options = options(p.Built, h.source, slot(t, p.Image.Size))
	h.options.Target, h.options.Shelf = "b", &install.Shelf{Disk: disk.OS{}, Dir: dir}
	h.options.Save = func(at install.Progress) error { h.saved = at; return nil }
	h.options.Agree = func(q install.Quote) error {
		q.Bytes += h.saved.Downloaded // in all
		h.asked = append(h.asked, q)
		return nil
	}
	old, err := disk.OS{}.Create(filepath.Join(dir, "running.img"), int64(len(p.old)))
	if err == nil {
		_, err = old.WriteAt(p.old, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := old.Close(); err != nil {
			t.Error(err)
		}
	})
	h.options.Old = &install.Old{Slot: "a", File: old, Size: int64(len(p.old)), SHA256: manifests.SumSHA256(p.old)}
	return h
}

// by takes away what a plan of that kind does not need.
func (h *phone) by(kind install.Kind) *phone {
	if kind != install.ByPatch {
		h.options.Image.Patches = nil
	}
	if kind == install.ByPack {
		h.options.Old = nil
	}
	return h
}

func (h *phone) plan() *install.Plan {
	h.Helper()
	h.options.From = h.saved
	plan, err := install.Prepare(h.Context(), h.options)
	if err != nil {
		h.Fatal(err)
	}
	return plan
}

// install makes the image from where it was saved.
func (h *phone) install() error {
	h.options.From = h.saved
	at, err := install.Install(h.Context(), h.options)
	if at != h.saved {
		err = errors.Join(err, errors.New("other progress was returned than was saved"))
	}
	return err
}

// done demands that the installation ends, and what it made.
func (h *phone) done() {
	h.Helper()
	if err := h.install(); err != nil {
		h.Fatal(err)
	}
	h.whole()
}

func (h *phone) whole() {
	h.Helper()
	if err := install.Verify(h.Context(), h.options.Slot, h.Image); err != nil {
		h.Fatal(err)
	}
}

var kinds = []install.Kind{install.ByPatch, install.ByChunks, install.ByPack}
