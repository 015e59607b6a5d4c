package powertest

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/manifests"
)

// mutation is a handset with one step left out, or two swapped. No code is
// changed for it: the disk or the boot loader does otherwise than it was told.
type mutation struct {
	name  string
	story string // in which it must show
	apply func(s *story)
}

// deafTo leaves out one kind of step on files of a name.
func deafTo(kind disktest.Kind, pattern string) func(*story) {
	return func(s *story) {
		s.deaf = func(k disktest.Kind, path string) bool {
			if k != kind {
				return false
			}
			match, err := filepath.Match(pattern, path)
			must(err)
			return match
		}
	}
}

func mutations() []mutation {
	return []mutation{
		{"slot is not synced", "chunks", deafTo(disktest.Sync, "slots/*.img")},
		{"journal is not synced", "patch", deafTo(disktest.Sync, "state/journal")},
		{"boot environment is not synced before its rename", "patch", deafTo(disktest.Sync, "slots/boot.json.new")},
		{"metadata is not synced before its rename", "patch", deafTo(disktest.Sync, "slots/b.json.new")},
		{"memory is not synced before its rename", "patch", deafTo(disktest.Sync, "state/memory.json.new")},
		{"receipt is not synced before its rename", "patch", deafTo(disktest.Sync, "state/receipts.log.new")},
		{"receipt is not synced", "sick", deafTo(disktest.Sync, "state/receipts.log")},
		{"directory of the slots is not synced after a rename", "two", deafTo(disktest.SyncDir, "slots")},
		{"directory of the agent is not synced after a rename", "sick", deafTo(disktest.SyncDir, "state")},
		{"queue of reports is not synced before its rename", "reports", deafTo(disktest.Sync, "state/outbox/queue.json.new")},
		{"directory of the reports is not synced after a rename", "reports", deafTo(disktest.SyncDir, "state/outbox")},
		{"journal before slot", "chunks", func(s *story) { s.disk = journalFirst }},
		{"journal one record late", "halt", func(s *story) { s.disk = journalLate }},
		{"journal before memory", "sick", func(s *story) { s.disk = memoryLate }},
		{"armed before all is written", "full", func(s *story) { s.slots = armedEarly }},
		{"armed before it is verified", "spoilt", func(s *story) { s.disk = armedUnverified }},
		{"metadata after arming", "patch", func(s *story) { s.slots = describedLate }},
		{"bootable while it is written", "two", func(s *story) { s.slots = bootableStill }},
		{"floor before the slot is marked good", "patch", func(s *story) { s.slots = floorFirst }},
	}
}

// blind is how many states a tester may visit and see nothing wrong.
const blind = 10000

// The tester sees: with one sync left out, or two steps swapped, a promise
// breaks in some state.
func TestPowerCutShowsEveryStepThatIsMissingOrSwapped(t *testing.T) {
	for _, m := range mutations() {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			var told []*story
			for _, s := range stories() {
				if s.name == m.story {
					m.apply(s)
					told = append(told, s)
				}
			}
			x := newExplorer(*seed, blind)
			err := x.explore(told, blind, runtime.GOMAXPROCS(0))
			if !errors.Is(err, errBroken) {
				t.Fatalf("%d states, and nothing is broken: %v", x.visited(), err)
			}
			t.Logf("after %d states: %v", x.visited(), err)
		})
	}
}

// late is a disk that holds a step back until another one is done.
type late struct {
	disk.Disk
	held  []func() error
	hold  func(path string) bool // whose Sync or Replace is held
	until func(path string) bool // whose Sync lets it go
}

func (d *late) Open(path string, mode disk.Mode) (disk.File, error) {
	f, err := d.Disk.Open(path, mode)
	return &lateFile{f, d, path}, err
}

func (d *late) release() error {
	held := d.held
	d.held = nil
	for _, step := range held {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type lateFile struct {
	disk.File
	disk *late
	path string
}

func (f *lateFile) Sync() error {
	if f.disk.hold(f.path) {
		f.disk.held = append(f.disk.held, f.File.Sync)
		return nil
	}
	if err := f.File.Sync(); err != nil || !f.disk.until(f.path) {
		return err
	}
	return f.disk.release()
}

func isSlot(path string) bool    { return strings.HasSuffix(path, ".img") }
func isJournal(path string) bool { return path == "state/journal" }
func isMemory(path string) bool  { return path == "state/memory.json" }

// journalFirst says how far the slot is, and then writes it.
func journalFirst(_ *handset, d *disktest.Disk) disk.Disk {
	return &late{Disk: d, hold: isSlot, until: isJournal}
}

// memoryLate renames a new memory when the journal that builds on it is written.
func memoryLate(_ *handset, d *disktest.Disk) disk.Disk {
	return &lateNames{late{Disk: d, hold: func(string) bool { return false }, until: isJournal}}
}

type lateNames struct{ late }

func (d *lateNames) Rename(from, to string) error {
	if !isMemory(to) {
		return d.Disk.Rename(from, to)
	}
	d.held = append(d.held, func() error { return errors.Join(d.Disk.Rename(from, to), d.SyncDir("state")) })
	return nil
}

func (d *lateNames) Remove(path string) error {
	if isMemory(strings.TrimSuffix(path, disk.Unfinished)) {
		if err := d.release(); err != nil { // the one before is due
			return err
		}
	}
	return d.Disk.Remove(path)
}

// journalLate writes each record when the next one comes.
func journalLate(_ *handset, d *disktest.Disk) disk.Disk { return &lateJournal{Disk: d} }

type lateJournal struct {
	disk.Disk
	record []byte
	at     int64
}

func (d *lateJournal) Open(path string, mode disk.Mode) (disk.File, error) {
	f, err := d.Disk.Open(path, mode)
	if !isJournal(path) || mode != disk.Write || err != nil {
		return f, err
	}
	return &lateRecord{f, d}, nil
}

type lateRecord struct {
	disk.File
	disk *lateJournal
}

func (f *lateRecord) WriteAt(b []byte, at int64) (int, error) {
	record, to := f.disk.record, f.disk.at
	f.disk.record, f.disk.at = append([]byte(nil), b...), at
	if record == nil {
		return len(b), nil
	}
	_, err := f.File.WriteAt(record, to)
	return len(b), err
}

// armedUnverified arms a slot when it is about to be read back.
func armedUnverified(h *handset, d *disktest.Disk) disk.Disk { return &hasty{d, h} }

type hasty struct {
	disk.Disk
	h *handset
}

func (d *hasty) Open(path string, mode disk.Mode) (disk.File, error) {
	if mode == disk.Medium && isSlot(path) {
		if err := d.h.arm(d.h.loader); err != nil {
			return nil, err
		}
	}
	return d.Disk.Open(path, mode)
}

// arm arms the spare slot for the newest build that is offered.
func (h *handset) arm(s *sim.Sim) error {
	target, build := boot.Slot("b"), manifests.Build(0)
	if booted, err := s.Booted(); err != nil {
		return err
	} else if booted == target {
		target = "a"
	}
	for b := range h.chapter().offers {
		build = max(build, b)
	}
	m := made().releases[build]
	err := s.SetMetadata(target, boot.Metadata{
		Product: phone, Build: build, SecurityEpoch: m.SecurityEpoch, Version: m.Version, Images: boot.Images(m.Images), Label: m.Privacy,
	})
	if err != nil {
		return err
	}
	return s.Arm(target, tries)
}

// armedEarly arms a slot after the first sync of it.
func armedEarly(h *handset, s *sim.Sim) agent.Storage { return &early{witness{s, h}} }

type early struct{ witness }

func (e *early) OpenForWrite(slot boot.Slot, image manifests.Name, size int64) (disk.File, error) {
	if err := e.MarkUnbootable(slot); err != nil { // it is armed, and there may be a second image
		return nil, err
	}
	f, err := e.Sim.OpenForWrite(slot, image, size)
	return &earlyFile{f, e}, err
}

type earlyFile struct {
	disk.File
	early *early
}

func (f *earlyFile) Sync() error {
	if err := f.File.Sync(); err != nil {
		return err
	}
	return f.early.h.arm(f.early.Sim)
}

// describedLate says what a slot holds when it is armed already.
func describedLate(h *handset, s *sim.Sim) agent.Storage { return &described{witness: witness{s, h}} }

type described struct {
	witness
	slot boot.Slot
	m    boot.Metadata
}

func (d *described) SetMetadata(slot boot.Slot, m boot.Metadata) error {
	d.slot, d.m = slot, m
	return nil
}

func (d *described) Arm(slot boot.Slot, tries int) error {
	if err := d.Sim.Arm(slot, tries); err != nil {
		return err
	}
	return d.Sim.SetMetadata(d.slot, d.m)
}

// bootableStill writes a slot that the loader may boot.
func bootableStill(h *handset, s *sim.Sim) agent.Storage { return &still{witness{s, h}} }

type still struct{ witness }

func (*still) MarkUnbootable(boot.Slot) error { return nil }

func (w *still) OpenForWrite(slot boot.Slot, image manifests.Name, size int64) (disk.File, error) {
	if state, err := w.State(slot); err != nil || !state.Bootable {
		return w.Sim.OpenForWrite(slot, image, size)
	}
	return w.h.disk.Open(w.Image(slot, image), disk.Write)
}

// floorFirst raises the floor and then marks the slot good.
func floorFirst(h *handset, s *sim.Sim) agent.Storage { return &floored{witness{s, h}} }

type floored struct{ witness }

func (w *floored) MarkGood(slot boot.Slot) error {
	data, err := disk.ReadFile(w.h.disk, "state/memory.json", 1<<20)
	if err != nil {
		return err
	}
	higher := strings.Replace(string(data), `"floor":1`, `"floor":2`, 1)
	if err := disk.Replace(w.h.disk, "state/memory.json", []byte(higher)); err != nil {
		return err
	}
	return w.witness.MarkGood(slot)
}
