package install_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
)

const pairBytes = 8 << 20

// Each plan costs what it said, and the cheaper one is chosen.
func TestPlanCostsWhatItSays(t *testing.T) {
	p := twoImages(t, pairBytes)
	cost := map[install.Kind]int64{}
	for _, kind := range kinds {
		h := p.phone(t).by(kind)
		plan := h.plan()
		before := h.source.served.Load()
		if plan.Kind != kind || plan.Full != p.Image.Index.Size+p.Image.Pack.Size {
			t.Fatalf("plan %+v, want by %s", plan.Quote, kind)
		}
		h.options.Plan = plan
		requests := len(h.source.asked)
		h.done()
		if got := h.source.served.Load() - before; got != plan.Bytes || len(h.source.asked)-requests != plan.Requests {
			t.Errorf("%s: %d bytes in %d requests, planned %d in %d", kind, got, len(h.source.asked)-requests, plan.Bytes, plan.Requests)
		}
		cost[kind] = h.source.served.Load()
		if h.saved.Downloaded != cost[kind] || len(h.asked) != 0 {
			t.Errorf("%s: says %d bytes of %d; asked %v", kind, h.saved.Downloaded, cost[kind], h.asked)
		}
	}
	if cost[install.ByPatch] > cost[install.ByChunks] || cost[install.ByChunks]*2 > cost[install.ByPack] {
		t.Errorf("costs %v", cost)
	}
}

// A patch needs no index, and only the very image that it was made from.
func TestPatchOfAnotherImageIsLeftAlone(t *testing.T) {
	p := twoImages(t, pairBytes)
	h := p.phone(t)
	h.options.Old.SHA256[0]++
	if plan := h.plan(); plan.Kind != install.ByChunks {
		t.Fatalf("plan %+v", plan.Quote)
	}
	h = p.phone(t)
	h.done()
	for _, r := range h.source.asked {
		if r.Path == layout.BlobFile(p.Image.Index.SHA256) {
			t.Error("a patch fetched the index")
		}
	}
	h = p.phone(t)
	h.options.Image.Patches = slices.Clone(p.Image.Patches)
	h.options.Image.Patches[0].BodySize = p.Image.Pack.Size // dearer than all of it
	if plan := h.plan(); plan.Kind != install.ByChunks {
		t.Fatalf("plan %+v", plan.Quote)
	}
}

// What an older image left in the target slot counts where it is not overwritten
// first, and the plan knows which that is (AMENDMENTS M3).
func TestRemainsCountOnlyAheadOfTheWriter(t *testing.T) {
	p := twoImages(t, pairBytes)
	half := pairBytes / 2
	for name, c := range map[string]struct {
		remains []byte
		useful  bool
	}{
		"further back": {append(words(7, half), p.Plain[:half]...), true},
		"in place":     {append(bytes.Clone(p.Plain[:half]), words(7, half)...), true},
		"in front":     {append(bytes.Clone(p.Plain[half:]), words(7, half)...), false},
	} {
		t.Run(name, func(t *testing.T) {
			h := p.phone(t).by(install.ByPack)
			if _, err := h.options.Slot.WriteAt(c.remains, 0); err != nil {
				t.Fatal(err)
			}
			// An earlier plan for that image left its index here.
			earlier := imagetest.Build("system", c.remains)
			h.leave(earlier)
			h.options.Plan = h.plan()
			before := h.source.served.Load()
			if useful := h.options.Plan.Bytes < p.Image.Pack.Size*3/4; useful != c.useful {
				t.Fatalf("plan %+v of %d", h.options.Plan.Quote, p.Image.Pack.Size)
			}
			h.done()
			if got := h.source.served.Load() - before; got != h.options.Plan.Bytes || len(h.asked) != 0 {
				t.Errorf("%d bytes, planned %d; asked %v", got, h.options.Plan.Bytes, h.asked)
			}
		})
	}
}

// leave has the index of an image on the shelf of the target slot.
func (h *phone) leave(b *imagetest.Built) {
	h.Helper()
	o := h.options
	o.Image, o.Source, o.Slot, o.Old, o.From = b.Image, sourceOf(b), nil, nil, install.Progress{}
	o.Save = func(install.Progress) error { return nil }
	if _, err := install.Prepare(h.Context(), o); err != nil {
		h.Fatal(err)
	}
}

// spoilt is a seed that does not give what it did.
type spoilt struct {
	disk.File
	how   func(b []byte, at int64) (int, error)
	reads atomic.Int64
}

func (s *spoilt) ReadAt(b []byte, at int64) (int, error) {
	s.reads.Add(1)
	n, err := s.File.ReadAt(b, at)
	if n > 0 {
		if m, bad := s.how(b[:n], at); bad != nil || m != n {
			return m, bad
		}
	}
	return n, err
}

var spoils = map[string]func(b []byte, at int64) (int, error){
	"changed":     func(b []byte, _ int64) (int, error) { b[len(b)/2] ^= 1; return len(b), nil },
	"unreadable":  func([]byte, int64) (int, error) { return 0, errors.New("input/output error") },
	"short":       func(b []byte, _ int64) (int, error) { return len(b) / 2, io.EOF },
	"says it all": func(b []byte, _ int64) (int, error) { return 0, nil },
	"one place": func(b []byte, at int64) (int, error) {
		if place := int64(pairBytes / 5); at <= place && place < at+int64(len(b)) {
			return 0, errors.New("input/output error")
		}
		return len(b), nil
	},
}

// A slot that changed behind our back, or cannot be read, costs bytes that are
// agreed to first, never correctness, and never a loop.
func TestSpoiltSeedCostsBytesThatAreAgreedTo(t *testing.T) {
	p := twoImages(t, pairBytes)
	for _, kind := range kinds[:2] {
		for name, how := range spoils {
			t.Run(fmt.Sprint(kind, " ", name), func(t *testing.T) {
				h := p.phone(t).by(kind)
				h.options.Plan = h.plan()
				planned := h.saved.Downloaded + h.options.Plan.Bytes
				h.options.Old.File = &spoilt{File: h.options.Old.File, how: how}
				h.done()
				if len(h.asked) == 0 || len(h.asked) > 3 {
					t.Fatalf("asked %+v", h.asked)
				}
				last := h.asked[len(h.asked)-1]
				if last.Bytes <= planned || last.Why == "" || last.Kind == install.ByPatch {
					t.Errorf("asked %+v, planned %+v", last, h.options.Plan.Quote)
				}
				if limit := 2*p.Image.Index.Size + p.Image.Pack.Size + int64(len(p.table)+len(p.body)) + 1<<20; h.source.served.Load() > limit {
					t.Errorf("%d bytes; all there is has %d", h.source.served.Load(), limit)
				}
				if name == "one place" && last.Bytes > p.Image.Pack.Size/2 {
					t.Errorf("%d bytes for one bad place", last.Bytes)
				}
			})
		}
	}
}

// Who does not agree keeps what there is, and pays nothing more.
func TestDearerPlanStopsUntilItIsAgreedTo(t *testing.T) {
	p := twoImages(t, pairBytes)
	never := errors.New("metered")
	for _, kind := range kinds[:2] {
		h := p.phone(t).by(kind)
		h.options.Plan = h.plan()
		planned := h.saved.Downloaded + h.options.Plan.Bytes
		h.options.Old.File = &spoilt{File: h.options.Old.File, how: spoils["one place"]}
		h.options.Agree = func(install.Quote) error { return never }
		if err := h.install(); !errors.Is(err, never) {
			t.Fatalf("%s: %v", kind, err)
		}
		if h.source.served.Load() > planned {
			t.Errorf("%s: %d bytes, %d were agreed to", kind, h.source.served.Load(), planned)
		}
		if h.saved.At == 0 || h.saved.NoPatch != (kind == install.ByPatch) {
			t.Errorf("%s: saved %+v", kind, h.saved)
		}
		h.options.Agree = func(install.Quote) error { return nil }
		h.options.Plan = nil
		h.done()
	}
}

// A patch that cannot be used is not tried twice: the plan goes by chunks.
func TestUselessPatchFallsBackToChunks(t *testing.T) {
	whole := twoImages(t, pairBytes)
	table, body := layout.BlobFile(manifests.SumSHA256(whole.table)), layout.BlobFile(manifests.SumSHA256(whole.body))
	for name, spoil := range map[string]func(h *phone){
		"table is not there": func(h *phone) { delete(h.source.files, table) },
		"body is not there":  func(h *phone) { delete(h.source.files, body) },
		"table is damaged":   func(h *phone) { h.source.flip = func(p string) bool { return p == table } },
		"body is damaged":    func(h *phone) { h.source.flip = func(p string) bool { return p == body } },
		"table is signed and makes no sense": func(h *phone) {
			h.sell(bytes.Repeat([]byte("?"), 1000))
		},
		"table is of another patch": func(h *phone) {
			other := twoImages(h.T, pairBytes/2)
			h.sell(other.table)
		},
		"table is enormous": func(h *phone) { h.options.Image.Patches[0].Table.Size = 1 << 21; h.options.Image.Pack.Size <<= 8 },
		"body has another size": func(h *phone) {
			h.options.Image.Patches[0].BodySize++
		},
		"another image runs": func(h *phone) {
			if _, err := h.options.Old.File.WriteAt(words(55, pairBytes), 0); err != nil {
				h.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := whole.phone(t)
			h.options.Image.Patches = slices.Clone(h.Image.Patches)
			spoil(h)
			if name == "table is enormous" {
				h.options.Image.Pack.Size >>= 8
				h.options.Image.Patches[0].Table.Size = 64
			}
			h.done()
			if !h.saved.NoPatch {
				t.Fatal("it would be tried again")
			}
			asked := len(h.source.asked)
			h.saved.At = 0
			if plan := h.plan(); plan.Kind == install.ByPatch || len(h.source.asked) != asked {
				t.Errorf("plan %+v with %v", plan.Quote, h.source.asked[asked:])
			}
		})
	}
}

// sell publishes and signs a table as it is.
func (h *phone) sell(table []byte) {
	ref := manifests.Blob{SHA256: manifests.SumSHA256(table), Size: int64(len(table))}
	h.source.files[layout.BlobFile(ref.SHA256)] = table
	h.options.Image.Patches[0].Table = ref
}

// A network that fails is no fault of the patch.
func TestCutOffPatchIsTriedAgain(t *testing.T) {
	p := twoImages(t, pairBytes)
	h := p.phone(t)
	h.source.cut = int64(len(p.body)) / 2
	if err := h.install(); !errors.Is(err, io.ErrUnexpectedEOF) || h.saved.NoPatch || h.saved.At == 0 {
		t.Fatalf("got %v, saved %+v", err, h.saved)
	}
	if plan := h.plan(); plan.Kind != install.ByPatch || plan.Bytes >= int64(len(p.body)) {
		t.Fatalf("plan %+v", plan.Quote)
	}
	h.done()
	if got := h.source.served.Load(); got > int64(len(p.table)+len(p.body))+1<<20 {
		t.Errorf("%d bytes, table and body have %d", got, len(p.table)+len(p.body))
	}
}

// The process dies at any moment, without a word: less than 1 MiB is downloaded
// twice, in every plan.
func TestKilledProcessDownloadsLittleTwice(t *testing.T) {
	p := twoImages(t, 3*pairBytes)
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			once := p.phone(t).by(kind)
			once.done()
			least := once.source.served.Load()
			for _, eighth := range []int64{1, 3, 5, 7} {
				h := p.phone(t).by(kind)
				h.options.Segment = 0 // 16 MiB, most of it unsaved
				f := &mortal{File: h.options.Slot, life: pairBytes * 3 * eighth / 8}
				h.options.Slot = f
				save := h.options.Save
				h.options.Save = func(at install.Progress) error {
					if f.dead.Load() {
						return errKilled
					}
					return save(at)
				}
				h.options.From = h.saved
				if _, err := install.Install(t.Context(), h.options); !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				h.options.Slot, h.options.Save = f.File, save
				h.done()
				if twice := h.source.served.Load() - least; twice < 0 || twice > 1<<20 {
					t.Errorf("killed at %d/8: %d bytes twice", eighth, twice)
				}
			}
		})
	}
}

var errKilled = errors.New("killed")

// mortal is a slot of a process that dies after so many bytes.
type mortal struct {
	disk.File
	life int64
	dead atomic.Bool
}

func (m *mortal) WriteAt(b []byte, at int64) (int, error) {
	if m.life -= int64(len(b)); m.life < 0 {
		m.dead.Store(true)
		return 0, errKilled
	}
	return m.File.WriteAt(b, at)
}

func (m *mortal) Sync() error {
	if m.dead.Load() {
		return errKilled
	}
	return m.File.Sync()
}

// Indexes are fetched once and the running image is cut once, whatever happens;
// what is damaged on the shelf counts as absent.
func TestIndexesAreKept(t *testing.T) {
	p := twoImages(t, pairBytes)
	h := p.phone(t).by(install.ByChunks)
	seed := &spoilt{File: h.options.Old.File, how: func(b []byte, _ int64) (int, error) { return len(b), nil }}
	h.options.Old.File = seed
	first := h.plan()
	asked, reads := len(h.source.asked), seed.reads.Load()
	if again := h.plan(); again.Quote != first.Quote || len(h.source.asked) != asked || seed.reads.Load() != reads || asked != 1 {
		t.Errorf("%d requests, %d reads of the seed; plan %+v, then %+v", len(h.source.asked), seed.reads.Load()-reads, first.Quote, again.Quote)
	}
	files, err := filepath.Glob(filepath.Join(h.options.Shelf.Dir, "*.idx"))
	if err != nil || len(files) != 2 {
		t.Fatalf("kept %v, %v", files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		data[200] ^= 1
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if again := h.plan(); again.Quote != first.Quote || len(h.source.asked) != asked+1 || seed.reads.Load() == reads {
		t.Errorf("damaged indexes were used; plan %+v, then %+v", first.Quote, again.Quote)
	}
	for range 10 {
		h.leave(build(t, 1<<20))
	}
	if files, err = filepath.Glob(filepath.Join(h.options.Shelf.Dir, "*")); err != nil || len(files) > 8 {
		t.Errorf("the shelf grows: %v, %v", files, err)
	}
}

func TestImpossibleImagesAreRefusedBeforeAByteIsWritten(t *testing.T) {
	p := twoImages(t, 1<<20)
	for name, change := range map[string]func(o *install.Options){
		"empty":                     func(o *install.Options) { o.Image.Size = 0 },
		"negative":                  func(o *install.Options) { o.Image.Size = -1 },
		"enormous":                  func(o *install.Options) { o.Image.Size = 1 << 50 },
		"larger than the slot":      func(o *install.Options) { o.Slot = slot(t, 1<<19) },
		"with an enormous index":    func(o *install.Options) { o.Image.Index.Size = 1 << 40 },
		"with an empty index":       func(o *install.Options) { o.Image.Index.Size = 0 },
		"with another image's pack": func(o *install.Options) { o.Image.Pack.SHA256[3]++ },
	} {
		t.Run(name, func(t *testing.T) {
			h := p.phone(t).by(install.ByChunks)
			change(&h.options)
			f := &faulty{File: h.options.Slot}
			h.options.Slot = f
			err := h.install()
			if err == nil || !strings.Contains(err.Error(), "system") {
				t.Errorf("got %v", err)
			}
			if size := h.options.Image.Size; (size < 1 || size > image.MaxImageBytes) && (len(h.source.asked) > 0 || !strings.Contains(err.Error(), "must have from 1")) {
				t.Errorf("asked for %v, then %v", h.source.asked, err)
			}
			if len(f.written) > 0 {
				t.Error("something was written")
			}
		})
	}
}

// many serves and counts how many bodies are open at once.
type many struct {
	*source
	open, most atomic.Int32
}

func (m *many) OpenRange(ctx context.Context, r fetch.Range) (io.ReadCloser, error) {
	if n := m.open.Add(1); n > m.most.Load() {
		m.most.Store(n)
	}
	in, err := m.source.OpenRange(ctx, r)
	if err != nil {
		return nil, err
	}
	return body{in, func() error { m.open.Add(-1); return in.Close() }}, nil
}

// Missing parts come in few requests, a few at a time, and the windows of all
// connections together stay small.
func TestFewRequestsAFewAtATime(t *testing.T) {
	old := words(1, 24<<20)
	next := bytes.Clone(old)
	for i := 10_000; i < len(next); i += 80_000 { // 300 places
		next[i] ^= 1
	}
	p := &pair{Built: imagetest.Build("system", next), old: old}
	h := p.phone(t).by(install.ByChunks)
	m := &many{source: h.source}
	h.options.Source = m
	plan := h.plan()
	if plan.Requests != install.MaxRanges || plan.Kind != install.ByChunks {
		t.Fatalf("plan %+v", plan.Quote)
	}
	h.done()
	if m.open.Load() != 0 || m.most.Load() < 2 || m.most.Load() > 4 {
		t.Errorf("%d open at the end, %d at most", m.open.Load(), m.most.Load())
	}
	for _, r := range h.source.asked[1:] {
		if r.Window == 0 || r.Window*int(m.most.Load()) > 1<<20 {
			t.Fatalf("window %d", r.Window)
		}
	}
}

// A server without ranges gives all of the pack once, if that is agreed to.
func TestServerOfWholeFilesCostsTheWholeOnce(t *testing.T) {
	p := twoImages(t, pairBytes)
	h := p.phone(t).by(install.ByChunks)
	h.options.Source = opener(func(r fetch.Range) (io.ReadCloser, error) {
		if r.From > 0 {
			return nil, fetch.ErrRangeIgnored
		}
		return h.source.OpenRange(t.Context(), r)
	})
	h.done()
	if len(h.asked) != 1 || h.asked[0].Bytes > p.Image.Pack.Size+p.Image.Index.Size || h.asked[0].Bytes <= h.plan().Bytes {
		t.Fatalf("asked %+v", h.asked)
	}
	if got := h.source.served.Load(); got > p.Image.Index.Size+p.Image.Pack.Size {
		t.Errorf("%d bytes", got)
	}
	h = p.phone(t).by(install.ByChunks)
	h.options.Agree = nil
	h.options.Source = opener(func(r fetch.Range) (io.ReadCloser, error) {
		if r.From > 0 {
			return nil, fetch.ErrRangeIgnored
		}
		return h.source.OpenRange(t.Context(), r)
	})
	if err := h.install(); !errors.Is(err, fetch.ErrRangeIgnored) {
		t.Fatalf("nobody agreed: %v", err)
	}
}

// An index that was cut here has no pack: it is a seed, never the recipe.
func TestIndexThatWasCutHereIsNoRecipe(t *testing.T) {
	p := twoImages(t, pairBytes)
	h := p.phone(t).by(install.ByChunks)
	// The target slot ran the new image once, and was cut then.
	cutting := h.options
	cutting.Old = &install.Old{Slot: "b", File: slot(t, p.Image.Size), Size: p.Image.Size, SHA256: p.Image.SHA256}
	cutting.Target = "a"
	if _, err := install.Prepare(t.Context(), cutting); err != nil {
		t.Fatal(err)
	}
	h.done()
}

// The table of an earlier update does not stand in for that of this one.
func TestTableOfAnEarlierUpdateIsNotUsed(t *testing.T) {
	h := twoImages(t, 1<<20).phone(t)
	shelf := h.options.Shelf
	if plan := h.plan(); plan.Kind != install.ByPatch {
		t.Fatalf("plan %+v", plan.Quote)
	}
	h = twoImages(t, 2<<20).phone(t)
	h.options.Shelf = shelf
	if plan := h.plan(); plan.Kind != install.ByPatch {
		t.Fatalf("plan %+v", plan.Quote)
	}
	h.done()
}
