package powertest

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/receipts"
)

// faulty is a handset in a story, of whose disk something is wrong.
func faulty(t *testing.T, name string) *handset {
	t.Helper()
	for _, s := range stories() {
		if s.name == name {
			d := factory().Clone()
			d.Record()
			return newHandset(s, d, outside{})
		}
	}
	t.Fatalf("there is no story %s", name)
	return nil
}

// suffer polls while the disk is faulty. Failures are as they may be; promises
// of the medium are not.
func (h *handset) suffer() error {
	if h.agent == nil {
		if err := h.powerOn(); err != nil && !strings.Contains(err.Error(), "start") {
			return err
		}
	}
	for range 2 {
		if _, err := h.agent.Step(h.ctx()); err != nil {
			h.said = err
		}
		if h.agent.RestartWanted() { // the step itself went well
			break
		}
	}
	h.disk.Fail(nil)
	return h.checkMedium()
}

// recover is what the handset does once the disk is well again: as after a
// start of the process, and as after a restart of the handset.
func (h *handset) recover(restart bool) error {
	begin := h.start
	if restart {
		begin = h.powerOn
	}
	if err := begin(); err != nil {
		return err
	}
	return h.finish()
}

// at is a fault of the n-th operation of some kinds, and of those that follow it.
func at(n, many int, fault error, kinds ...disktest.Kind) func(disktest.Kind, string) error {
	return func(kind disktest.Kind, path string) error {
		for _, k := range kinds {
			if k != kind {
				continue
			}
			if n--; n < 0 && n >= -many {
				return fmt.Errorf("%s %s: %w", kind, path, fault)
			}
		}
		return nil
	}
}

// everyFault has each operation fail in turn: alone, and with all that follow.
func everyFault(t *testing.T, fault error, kinds ...disktest.Kind) {
	for _, many := range []int{1, 1 << 30} {
		for n := 0; ; n++ {
			h := faulty(t, "chunks")
			if err := h.powerOn(); err != nil {
				t.Fatal(err)
			}
			hit := false
			fail := at(n, many, fault, kinds...)
			h.disk.Fail(func(kind disktest.Kind, path string) error {
				err := fail(kind, path)
				hit = hit || err != nil
				return err
			})
			if err := h.suffer(); err != nil {
				t.Fatalf("operation %d, %d of them: %v", n, many, err)
			}
			if !hit {
				if n < 30 {
					t.Fatalf("the update has only %d operations", n)
				}
				break
			}
			if h.said != nil && !errors.Is(h.said, fault) {
				t.Fatalf("operation %d: it says %v", n, h.said)
			}
			if err := h.recover(n%2 == 0); err != nil {
				t.Fatalf("operation %d, %d of them: %v", n, many, err)
			}
		}
	}
}

// Wherever the disk is full, the handset says so, keeps what boots, and goes on
// once there is room.
func TestFullDiskAtAnyWriteIsSurvived(t *testing.T) {
	t.Parallel()
	everyFault(t, syscall.ENOSPC, disktest.Create, disktest.Write)
}

// So it does when the medium fails to write, to sync or to rename.
func TestFailingMediumAtAnyStepIsSurvived(t *testing.T) {
	t.Parallel()
	everyFault(t, syscall.EIO, disktest.Write, disktest.Sync, disktest.Rename, disktest.SyncDir)
}

// A write that is cut short is no success, whatever it was of.
func TestShortWriteOfAnyFileIsSurvived(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"slots/b.system.img", "slots/b.boot.img", "slots/boot.json.new", "slots/b.json.new", "state/journal", "state/memory.json.new", "state/receipts.log.new", "state/receipts.log",
	} {
		for _, bytes := range []int{0, 100, 700} {
			h := faulty(t, "chunks")
			if err := h.powerOn(); err != nil {
				t.Fatal(err)
			}
			h.disk.Short(path, bytes)
			if err := h.suffer(); err != nil {
				t.Fatalf("%s, %d bytes: %v", path, bytes, err)
			}
			if err := h.recover(true); err != nil {
				t.Fatalf("%s, %d bytes: %v", path, bytes, err)
			}
		}
	}
}

// A seed that cannot be read, all of it or a part, costs bytes and no more.
func TestSeedThatCannotBeReadCostsOnlyBytes(t *testing.T) {
	t.Parallel()
	for _, story := range []string{"patch", "chunks"} {
		for n := range 12 {
			h := faulty(t, story)
			if err := h.powerOn(); err != nil {
				t.Fatal(err)
			}
			left := n
			h.disk.Fail(func(kind disktest.Kind, path string) error {
				if path != "slots/a.system.img" || kind != disktest.Read {
					return nil
				}
				if left--; left >= 0 {
					return nil
				}
				return fmt.Errorf("read %s: %w", path, syscall.EIO)
			})
			if err := h.finish(); err != nil {
				t.Fatalf("%s, from read %d on: %v", story, n, err)
			}
		}
	}
}

// The slot changes while it is filled: behind the writer, and ahead of it.
func TestSlotThatChangesWhileItIsFilledIsNeverBooted(t *testing.T) {
	t.Parallel()
	for _, place := range []int64{100, 60 << 10, 127 << 10} {
		for n := 1; n < 8; n++ {
			h := faulty(t, "chunks")
			h.spoilt, h.outside.spoilt = true, true // it says that the slot does not hold
			if err := h.powerOn(); err != nil {
				t.Fatal(err)
			}
			left := n
			h.disk.Fail(func(kind disktest.Kind, path string) error {
				if kind == disktest.Sync && path == "slots/b.system.img" {
					left--
				}
				return nil
			})
			h.agent.Disk = &spoiler{h.agent.Disk, h.disk, place, &left}
			if err := h.finish(); err != nil {
				t.Fatalf("byte %d after sync %d: %v", place, n, err)
			}
		}
	}
}

// spoiler changes the slot when the journal is written next.
type spoiler struct {
	disk.Disk
	under *disktest.Disk
	at    int64
	left  *int
}

func (s *spoiler) Open(path string, mode disk.Mode) (disk.File, error) {
	if isJournal(path) && *s.left <= 0 && *s.left > -1<<20 {
		*s.left = -1 << 20
		if err := s.under.Spoil("slots/b.system.img", s.at); err != nil {
			return nil, err
		}
	}
	return s.Disk.Open(path, mode)
}

// A state directory that nothing can be written to stops updates, in words, and
// harms nothing.
func TestReadOnlyStateStopsUpdatesAndHarmsNothing(t *testing.T) {
	t.Parallel()
	h := faulty(t, "chunks")
	if err := h.powerOn(); err != nil {
		t.Fatal(err)
	}
	h.disk.Fail(func(kind disktest.Kind, path string) error {
		if kind == disktest.Open || kind == disktest.Read || kind == disktest.List || !strings.HasPrefix(path, "state") {
			return nil
		}
		return fmt.Errorf("%s %s: %w", kind, path, syscall.EROFS)
	})
	for range 3 {
		if s, err := h.agent.Step(h.ctx()); !errors.Is(err, syscall.EROFS) || s.Code != "error" || s.Sentence == "" {
			t.Fatalf("status %+v, %v", s, err)
		}
	}
	if state, err := h.loader.State("b"); err != nil || state.Bootable {
		t.Fatalf("slot b is %+v, %v", state, err)
	}
	h.disk.Fail(nil)
	if err := errors.Join(h.checkMedium(), h.recover(true)); err != nil {
		t.Fatal(err)
	}
}

// A newer version of the agent went back to an older one, which does not read
// the journal: wherever the update stood, it ends well.
func TestJournalOfANewerVersionEndsWell(t *testing.T) {
	t.Parallel()
	for _, record := range []string{`{"state":"defragmenting"}`, `{"state":"reboot-pending","build":42,"slot":"b","wormhole":true}`, "\x02binary"} {
		h := faulty(t, "halt")
		if err := errors.Join(h.powerOn(), h.finish()); err != nil { // armed
			t.Fatal(err)
		}
		j, err := disk.OpenJournal(h.disk, "state/journal")
		if err == nil {
			err = j.Save([]byte(record))
		}
		if err != nil {
			t.Fatal(err)
		}
		h.outside.arms = nil // it is disarmed, since nobody would hear of a halt
		if err := h.recover(false); err != nil {
			t.Fatalf("%s: %v", record, err)
		}
		if err := h.tell(); err != nil {
			t.Fatalf("%s: %v", record, err)
		}
		if err := reopened(h); err != nil {
			t.Fatalf("%s: %v", record, err)
		}
	}
}

// reopened demands that loader and receipt can be read anew.
func reopened(h *handset) error {
	_, err := sim.OpenOn(h.disk, "slots")
	_, rerr := receipts.Open(h.disk, "state/receipts.log", h.Now).Read()
	return errors.Join(err, rerr)
}
