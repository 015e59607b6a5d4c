package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

func (w *world) labOn() manifests.SHA256 {
	w.Helper()
	hash, err := w.agent.LabOn()
	if err != nil {
		w.Fatal(err)
	}
	return hash
}

// keeps tells which of the handset's own files hold a text.
func (w *world) keeps(text string) (names []string) {
	w.Helper()
	if err := filepath.WalkDir(w.config.State, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), text) {
			names = append(names, d.Name())
		}
		return err
	}); err != nil {
		w.Fatal(err)
	}
	return names
}

func (w *world) receiptKinds() (out []receipts.Kind) {
	w.Helper()
	c, err := receipts.Open(w.disk, w.receiptsPath(), w.device.Now).Read()
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range c.Entries {
		out = append(out, e.Kind)
	}
	return out
}

func TestLabModeDrawsAnIdOnceAndKeepsIt(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	if _, on := w.agent.Lab(); on || w.reports.byName {
		t.Fatal("on from the factory")
	}
	hash := w.labOn()
	if !w.reports.byName || hash == other.labOn() || hash != w.labOn() {
		t.Fatal("not by name, or not its own hash")
	}
	if id := w.agent.labID(); rollout.LabHash(*id) != hash {
		t.Fatalf("%s is not the hash of the id", hash)
	}
	w.reports = &reports{}
	w.start()
	if again, on := w.agent.Lab(); !on || again != hash || !w.reports.byName {
		t.Fatal("a restart of the agent ends lab mode")
	}
	if k := w.receiptKinds(); !slices.Equal(k, []receipts.Kind{receipts.LabOn}) {
		t.Fatalf("the receipt holds %q", k)
	}
}

func TestLabOffDestroysTheIdWhereverItIs(t *testing.T) {
	w := newWorld(t)
	hash := w.labOn()
	id := w.agent.mem.Lab
	data, err := os.ReadFile(w.agent.memoryPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{damaged, ".new"} { // a bad block, and a power cut
		if err := os.WriteFile(w.agent.memoryPath()+name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.agent.LabOff(); err != nil {
		t.Fatal(err)
	}
	if left := w.keeps(id); len(left) != 0 {
		t.Fatalf("%q still hold the lab id", left)
	}
	if _, on := w.agent.Lab(); on || w.reports.byName {
		t.Fatal("lab mode is on")
	}
	w.start()
	if w.agent.labID() != nil || w.labOn() == hash {
		t.Fatal("the old id came back")
	}
	if err := errors.Join(w.agent.LabOff(), w.agent.LabOff()); err != nil {
		t.Fatal(err)
	}
	if k := w.receiptKinds(); !slices.Equal(k, []receipts.Kind{receipts.LabOn, receipts.LabOff, receipts.LabOn, receipts.LabOff}) {
		t.Fatalf("the receipt holds %q", k)
	}
}

func TestDamagedMemoryEndsLabMode(t *testing.T) {
	w := newWorld(t)
	w.labOn()
	w.damage("memory.json")
	w.start()
	if _, on := w.agent.Lab(); on || w.reports.byName {
		t.Fatal("it reports by name without a lab id")
	}
}

// The power is cut within each operation of turning lab mode on, with several
// kinds of luck: the hash that was shown is the one that holds afterwards, and
// nothing is on that the receipt does not tell of.
func TestPowerCutWhileLabModeIsTurnedOn(t *testing.T) {
	w := newWorld(t)
	cuts := 0
	for seed := range uint64(12) {
		for cut := 0; ; cut++ {
			d := disktest.New(seed)
			w.disk = d
			w.start()
			if err := w.agent.saveMemory(); err != nil {
				t.Fatal(err)
			}
			d.CutAfter(cut)
			hash, err := w.agent.LabOn()
			d.CutAfter(0) // what was shown must not rest on what comes later
			d.Restart()
			w.start()
			kept, on := w.agent.Lab()
			switch {
			case err == nil && (!on || kept != hash):
				t.Fatalf("seed %d, cut %d: %s was shown, %s is kept (%t)", seed, cut, hash, kept, on)
			case err != nil && (!errors.Is(err, disktest.ErrPower) || !hash.IsZero()):
				t.Fatalf("seed %d, cut %d: %s, %v", seed, cut, hash, err)
			case w.agent.mem.Lab != "" && !on, on != w.reports.byName:
				t.Fatalf("seed %d, cut %d: half an id, or reports do not follow", seed, cut)
			case on && !slices.Contains(w.receiptKinds(), receipts.LabOn):
				t.Fatalf("seed %d, cut %d: on without a receipt", seed, cut)
			}
			if err == nil {
				break
			}
			cuts++
		}
	}
	if cuts < 12*6 {
		t.Fatalf("only %d cuts", cuts)
	}
}

// full is a receipt that takes nothing.
type full struct{}

func (full) Append(receipts.Entry) error     { return errors.New("the disk is full") }
func (full) AppendOnce(receipts.Entry) error { return errors.New("the disk is full") }

func TestLabModeNeedsItsReceipt(t *testing.T) {
	w := newWorld(t)
	w.agent.Receipts = full{}
	if _, err := w.agent.LabOn(); err == nil || w.agent.labID() != nil || w.reports.byName {
		t.Fatalf("on without a receipt: %v", err)
	}
	w.start()
	w.labOn()
	w.agent.Receipts = full{}
	if err := w.agent.LabOff(); err == nil || w.agent.labID() != nil || w.reports.byName {
		t.Fatalf("the receipt keeps lab mode on: %v", err)
	}
}

func TestLabRolloutReachesTheHandsetThatItNamesAndNoOther(t *testing.T) {
	for name, mode := range map[string]func(w *world) manifests.SHA256{
		"never in lab mode": func(*world) manifests.SHA256 { return manifests.SHA256{1} },
		"another's hash":    func(w *world) manifests.SHA256 { w.labOn(); return manifests.SHA256{1} },
		"no longer in lab mode": func(w *world) manifests.SHA256 {
			hash := w.labOn()
			if err := w.agent.LabOff(); err != nil {
				w.Fatal(err)
			}
			return hash
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, r := w.offer(42)
			r.Audience.Lab = []manifests.SHA256{mode(w)}
			w.code(w.once(), rollout.WrongModel)
			w.runs(41)
		})
	}
	w := newWorld(t)
	_, r := w.offer(42)
	r.Audience.Lab, r.Channel, r.Share = []manifests.SHA256{{1}, w.labOn()}, "lab", 1 // share and channel do not matter
	w.once()
	w.runs(42)
}

func TestPaceBindsTheLabUnlessTheReleaseFreesIt(t *testing.T) {
	w := newWorld(t)
	m, r := w.offer(42)
	m.Pace = []manifests.PaceStep{{After: manifests.Duration{Duration: 24 * time.Hour}, MaxShare: manifests.WholeFleet}}
	r.Audience.Lab = []manifests.SHA256{w.labOn()}
	w.code(w.once(), rollout.Pace)
	m.LabAhead = true
	w.once()
	w.runs(42)
}
