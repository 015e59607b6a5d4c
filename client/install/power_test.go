package install_test

import (
	"encoding/json"
	"errors"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
)

// handset is two slots, a shelf and a journal on a disk that loses power.
type handset struct {
	*pair
	kind install.Kind
	disk *disktest.Disk
}

func newHandset(t *testing.T, p *pair, kind install.Kind, seed uint64) *handset {
	t.Helper()
	h := &handset{p, kind, disktest.New(seed)}
	for name, data := range map[string][]byte{"slots/a.img": p.old, "slots/b.img": make([]byte, len(p.Plain))} {
		f, err := h.disk.Create(name, int64(len(data)))
		if err == nil {
			_, err = f.WriteAt(data, 0)
		}
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(h.disk.SyncDir("slots"), h.disk.MkdirAll("state/index")); err != nil {
		t.Fatal(err)
	}
	return h
}

// run is the life of the agent between two power cuts.
func (h *handset) run(t *testing.T) error {
	t.Helper()
	journal, err := disk.OpenJournal(h.disk, "state/journal")
	if err != nil {
		return err
	}
	o := options(h.Built, sourceOf(h.Built), nil)
	if record := journal.Record(); record != nil {
		if err := json.Unmarshal(record, &o.From); err != nil {
			t.Fatal(err)
		}
	}
	o.Target, o.Shelf = "b", &install.Shelf{Disk: h.disk, Dir: "state/index"}
	if o.Slot, err = h.disk.Open("slots/b.img", disk.Write); err != nil {
		return err
	}
	if h.kind != install.ByPack {
		old, err := h.disk.Open("slots/a.img", disk.Read)
		if err != nil {
			return err
		}
		o.Old = &install.Old{Slot: "a", File: old, Size: int64(len(h.old)), SHA256: manifests.SumSHA256(h.old)}
	}
	if h.kind != install.ByPatch {
		o.Image.Patches = nil
	}
	o.Save = func(p install.Progress) error {
		record, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return journal.Save(record)
	}
	// Agree is nil: no cut makes a plan dearer than it says.
	if _, err := install.Install(t.Context(), o); err != nil {
		return err
	}
	return install.Verify(t.Context(), o.Slot, h.Image)
}

// The power is cut within every operation of an installation, once each. After
// each cut the installation goes on from its journal and ends with the signed
// image; it never has to begin again, which is what a journal that claims more
// than the medium holds would lead to.
func TestPowerCutAtAnyOperationIsSurvived(t *testing.T) {
	p := twoImages(t, 2<<20)
	for _, kind := range kinds {
		for cut := 0; ; cut++ {
			h := newHandset(t, p, kind, uint64(cut))
			h.disk.CutAfter(cut)
			err := h.run(t)
			if err == nil {
				if cut < 15 {
					t.Fatalf("%s: the installation took %d operations only", kind, cut)
				}
				break
			}
			if !errors.Is(err, disktest.ErrPower) {
				t.Fatalf("%s, cut %d: %v", kind, cut, err)
			}
			h.disk.Restart()
			if err := h.run(t); err != nil {
				t.Fatalf("%s, after a cut in operation %d: %v", kind, cut, err)
			}
		}
	}
}

// Cut after cut, an installation that gets a little further each time ends.
func TestManyPowerCutsAreSurvived(t *testing.T) {
	for _, kind := range kinds {
		h := newHandset(t, twoImages(t, 2<<20), kind, 7)
		cuts := 0
		for ; ; cuts++ {
			h.disk.CutAfter(50) // a segment takes up to 45 operations
			err := h.run(t)
			if err == nil {
				break
			}
			if !errors.Is(err, disktest.ErrPower) || cuts > 50 {
				t.Fatalf("%s, after %d cuts: %v", kind, cuts, err)
			}
			h.disk.Restart()
		}
		if cuts == 0 && kind != install.ByPatch {
			t.Errorf("%s: it was never cut", kind)
		}
	}
}

func TestFullDiskIsResumedOnceThereIsRoom(t *testing.T) {
	h := newHandset(t, twoImages(t, 4<<20), install.ByPack, 3)
	if _, err := disk.OpenJournal(h.disk, "state/journal"); err != nil {
		t.Fatal(err)
	}
	h.disk.Room(2 << 20)
	if err := h.run(t); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	h.disk.Room(1 << 40)
	journal, err := disk.OpenJournal(h.disk, "state/journal")
	if err != nil || journal.Record() == nil {
		t.Fatalf("nothing was kept: %v", err)
	}
	if err := h.run(t); err != nil {
		t.Error(err)
	}
}
