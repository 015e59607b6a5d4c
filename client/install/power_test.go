package install_test

import (
	"encoding/json"
	"errors"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/install"
)

// handset is a slot and a journal on a disk that loses power.
type handset struct {
	*built
	disk *disktest.Disk
}

func newHandset(t *testing.T, b *built, seed uint64) *handset {
	t.Helper()
	h := &handset{b, disktest.New(seed)}
	f, err := h.disk.Create("slots/b.img", b.image.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), h.disk.SyncDir("slots")); err != nil {
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
	var at install.Progress
	if record := journal.Record(); record != nil {
		if err := json.Unmarshal(record, &at); err != nil {
			t.Fatal(err)
		}
	}
	f, err := h.disk.Open("slots/b.img", disk.Write)
	if err != nil {
		return err
	}
	o := options(h.built, h.source(), f)
	o.From = at
	o.Save = func(p install.Progress) error {
		record, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return journal.Save(record)
	}
	if _, err := install.Install(t.Context(), o); err != nil {
		return err
	}
	return install.Verify(t.Context(), f, h.image)
}

// The power is cut within every operation of an installation, once each. After
// each cut the installation goes on from its journal and ends with the signed
// image; it never has to begin again, which is what a journal that claims more
// than the medium holds would lead to.
func TestPowerCutAtAnyOperationIsSurvived(t *testing.T) {
	b := build(t, 3<<20)
	for cut := 0; ; cut++ {
		h := newHandset(t, b, uint64(cut))
		h.disk.CutAfter(cut)
		err := h.run(t)
		if err == nil {
			if cut < 20 {
				t.Fatalf("the installation took %d operations only", cut)
			}
			return
		}
		if !errors.Is(err, disktest.ErrPower) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		h.disk.Restart()
		if err := h.run(t); err != nil {
			t.Fatalf("after a cut in operation %d: %v", cut, err)
		}
	}
}

// Cut after cut, an installation that gets a little further each time ends.
func TestManyPowerCutsAreSurvived(t *testing.T) {
	h := newHandset(t, build(t, 3<<20), 7)
	for cuts := 0; ; cuts++ {
		h.disk.CutAfter(45) // a segment takes about 40 operations
		err := h.run(t)
		if err == nil {
			if cuts == 0 {
				t.Error("it was never cut")
			}
			return
		}
		if !errors.Is(err, disktest.ErrPower) || cuts > 50 {
			t.Fatalf("after %d cuts: %v", cuts, err)
		}
		h.disk.Restart()
	}
}

func TestFullDiskIsResumedOnceThereIsRoom(t *testing.T) {
	h := newHandset(t, build(t, 3<<20), 3)
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
