package powertest

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
)

// checkMedium is asked at each power-on, of the disk alone:
//
//   - every slot that the loader may boot holds one whole build that was signed,
//     and what is recorded of it is true;
//   - the security floor is not above the epoch of a slot that is marked good;
//   - the journal has a record that can be read, and no file was ever set aside
//     as damaged: the disk keeps its promise, so every file must hold;
//   - no build was armed twice; nothing that was reported contradicts itself.
func (h *handset) checkMedium() error {
	highest, err := h.checkSlots()
	if err != nil {
		return err
	}
	if floor := h.floor(); floor > highest {
		return broken("the floor is %d, and the highest epoch of a good slot is %d", floor, highest)
	}
	return errors.Join(h.checkJournal(), h.checkPast())
}

// verdict is what slots come to, once for each content of their files.
type verdict struct {
	highest manifests.SecurityEpoch // of the slots that are marked good
	err     error
}

var verdicts sync.Map // of a fingerprint

func (h *handset) checkSlots() (manifests.SecurityEpoch, error) {
	print := h.disk.Fingerprint("slots")
	if v, ok := verdicts.Load(print); ok {
		return v.(verdict).highest, v.(verdict).err
	}
	highest, err := h.judgeSlots()
	verdicts.Store(print, verdict{highest, err})
	return highest, err
}

func (h *handset) judgeSlots() (highest manifests.SecurityEpoch, err error) {
	there := h.disk.Clone() // has no faults of its own
	loader, err := sim.OpenOn(there, "slots")
	if err != nil {
		return 0, broken("the boot loader cannot read its environment: %v", err)
	}
	slots, err := loader.Slots()
	if err != nil {
		return 0, err
	}
	for _, slot := range slots {
		state, err := loader.State(slot)
		if err != nil || !state.Bootable || !state.Good && state.TriesLeft == 0 {
			continue
		}
		m, err := checkSlot(there, loader, slot)
		if err != nil {
			return 0, err
		}
		if state.Good {
			highest = max(highest, m.SecurityEpoch)
		}
	}
	return highest, nil
}

// checkSlot demands a whole build in a slot.
func checkSlot(d disk.Disk, loader *sim.Sim, slot boot.Slot) (boot.Metadata, error) {
	m, err := loader.Metadata(slot)
	if err != nil {
		return m, broken("slot %s may boot, and its metadata cannot be read: %v", slot, err)
	}
	signed, ok := made().releases[m.Build]
	if !ok || m.SecurityEpoch != signed.SecurityEpoch || !slices.Equal(m.Images, boot.Images(signed.Images)) {
		return m, broken("slot %s may boot, and is said to hold %+v, which nobody signed", slot, m)
	}
	for _, want := range m.Images {
		if got := hash(d, loader.Image(slot, want.Name)); got != want.SHA256 {
			return m, broken("slot %s may boot build %d, and its image %s has the hash %s instead of %s", slot, m.Build, want.Name, got.Short(), want.SHA256.Short())
		}
	}
	return m, nil
}

func hash(d disk.Disk, path string) manifests.SHA256 {
	data, err := disk.ReadFile(d, path, 1<<30)
	if err != nil {
		return manifests.SHA256{}
	}
	return manifests.SumSHA256(data)
}

// floor reads the file, not the agent's mind.
func (h *handset) floor() manifests.SecurityEpoch {
	data, err := disk.ReadFile(h.disk, "state/memory.json", 1<<20)
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(data, []byte(`"floor":`))
	digits := bytes.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	n, err := strconv.Atoi(string(after[:max(digits, 0)]))
	if err != nil {
		return 0
	}
	return manifests.SecurityEpoch(n)
}

func (h *handset) checkJournal() error {
	f, err := h.disk.Open("state/journal", disk.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if _, err := disk.OpenJournal(h.disk, "state/journal"); err != nil {
		return broken("%v", err)
	}
	return nil
}

func (h *handset) checkPast() error {
	if h.outside.contradiction != "" {
		return broken("%s", h.outside.contradiction)
	}
	for build, n := range h.outside.arms {
		if n > 1 {
			return broken("build %d was armed %d times", build, n)
		}
	}
	for _, name := range h.disk.Files() {
		if strings.HasSuffix(name, ".damaged") {
			return broken("a file is damaged, and was set aside as %s", name)
		}
	}
	return nil
}

// checkEnd is asked when a chapter has ended: besides the above, the owner's
// receipt holds, and the floor is that of the running build.
func (h *handset) checkEnd() error {
	if err := h.checkMedium(); err != nil {
		return err
	}
	if err := h.checkReceipt(); err != nil {
		return err
	}
	if h.reports {
		if err := h.checkReports(); err != nil {
			return err
		}
	}
	m, _, err := h.running()
	if err == nil && h.floor() != m.SecurityEpoch {
		err = broken("build %d of epoch %d runs at the end, and the floor is %d", m.Build, m.SecurityEpoch, h.floor())
	}
	return err
}

// checkReceipt demands a chain that holds from end to end, with all that was
// acknowledged. It tells of no installation that failed, as the disk keeps its
// promise, and of no build that was rolled back without having booted.
func (h *handset) checkReceipt() error {
	c, err := receipts.Open(h.disk, "state/receipts.log", h.Now).Read()
	if err != nil {
		return broken("the receipt does not hold: %v", err)
	}
	there := notes{}
	for i := range c.Entries {
		e := &c.Entries[i]
		there[note{e.Kind, e.Build}] = true
		switch {
		case e.Kind == receipts.Failed && !h.spoilt:
			return broken("an installation failed: %s", e.Why)
		case e.Kind == receipts.RolledBack && h.outside.trials[e.Build] == 0:
			return broken("build %d was rolled back, and never booted", e.Build)
		}
	}
	for n := range h.outside.noted {
		if !there[n] {
			return broken("the receipt had taken that build %d was %s, and does not say it any more", n.build, n.kind)
		}
	}
	return nil
}
