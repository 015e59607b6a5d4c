package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// errDark is what a power cut throws through the agent.
var errDark = errors.New("the power is cut")

// power goes before the n-th thing that changes something.
type power struct{ left int }

func (p *power) use() {
	if p.left--; p.left < 0 {
		p.left = 1 << 30 // it comes back at the next start
		panic(errDark)
	}
}

// frail is the disk of journal and receipts whose power may go.
type frail struct {
	disk.OS
	power *power
}

func (d *frail) Open(path string, mode disk.Mode) (disk.File, error) {
	f, err := d.OS.Open(path, mode)
	return &frailFile{f, d.power}, err
}

func (d *frail) Create(path string, size int64) (disk.File, error) {
	d.power.use()
	f, err := d.OS.Create(path, size)
	return &frailFile{f, d.power}, err
}

func (d *frail) Rename(from, to string) error {
	d.power.use()
	return d.OS.Rename(from, to)
}

func (d *frail) SyncDir(dir string) error {
	d.power.use()
	return d.OS.SyncDir(dir)
}

type frailFile struct {
	disk.File
	power *power
}

func (f *frailFile) WriteAt(b []byte, at int64) (int, error) {
	f.power.use()
	return f.File.WriteAt(b, at)
}

func (f *frailFile) Sync() error {
	f.power.use()
	return f.File.Sync()
}

// lit tells whether what was done ended before the power did.
func lit(do func()) (ended bool) {
	defer func() {
		r := recover()
		if err, ok := r.(error); r != nil && (!ok || !errors.Is(err, errDark)) {
			panic(r)
		}
	}()
	do()
	return true
}

// cutWorld is a handset whose power goes before the n-th change.
func cutWorld(t *testing.T, n int) (*world, *power) {
	w, p := newWorld(t), &power{left: 1 << 30}
	w.slots.verb = func(string) { p.use() }
	w.slots.write = func() error { p.use(); return nil }
	w.slots.sync = p.use
	w.disk = &frail{power: p}
	w.start()
	p.left = n
	return w, p
}

func (w *world) floorHolds(n int) {
	w.Helper()
	slot, err := w.slots.Booted()
	if err != nil {
		w.Fatal(err)
	}
	m, err := w.slots.Metadata(slot)
	if err != nil {
		w.Fatal(err)
	}
	if w.agent.mem.Floor > m.SecurityEpoch {
		w.Fatalf("cut %d: the floor is %d, and epoch %d runs", n, w.agent.mem.Floor, m.SecurityEpoch)
	}
}

// everyCut runs a story to its end with the power cut before each change in
// turn; settled looks at the handset that came out of it.
func everyCut(t *testing.T, atLeast int, story func(*world), settled func(*world, int)) {
	for n := range 1000 {
		w, p := cutWorld(t, n)
		if lit(func() { story(w) }) {
			if n < atLeast {
				t.Fatalf("the story has only %d changes", n)
			}
			return
		}
		for !lit(func() { w.reboot() }) {
			t.Fatal("the power goes once")
		}
		w.floorHolds(n)
		story(w)
		w.floorHolds(n)
		if p.left < 0 {
			t.Fatal("the power was never cut")
		}
		settled(w, n)
	}
	t.Fatal("the story never ends")
}

func TestPowerCutAtAnyMomentStillEndsInTheNewBuild(t *testing.T) {
	t.Parallel()
	everyCut(t, 20, func(w *world) {
		if len(w.tree.view.Releases) == 0 {
			w.offer(42)
		}
		w.once()
		w.once()
	}, func(w *world, n int) {
		w.runs(42)
		w.noted(n, "started of 42", "installed of 42", "label-change of 42")
		if len(w.agent.mem.Failures) != 0 || w.agent.mem.Floor != 2 || w.agent.rec.State != Idle {
			w.Fatalf("cut %d: failures %v, floor %d, state %s", n, w.agent.mem.Failures, w.agent.mem.Floor, w.agent.rec.State)
		}
	})
}

func TestPowerCutAtAnyMomentOfARollbackEndsInTheOldBuild(t *testing.T) {
	t.Parallel()
	everyCut(t, 20, func(w *world) {
		w.config.Health = [][]string{{"false"}}
		if len(w.tree.view.Releases) == 0 {
			w.offer(42)
		}
		w.once()
		w.once()
	}, func(w *world, n int) {
		w.runs(41)
		w.noted(n, "started of 42", "rolled-back of 42")
		if w.agent.mem.Failures["42"] != 1 || w.agent.mem.Floor != 1 || w.state("b").Bootable {
			w.Fatalf("cut %d: failures %v, floor %d, slot b %+v", n, w.agent.mem.Failures, w.agent.mem.Floor, w.state("b"))
		}
	})
}

func TestPowerCutWhileAHaltIsObeyedIsNoFailure(t *testing.T) {
	t.Parallel()
	everyCut(t, 4, func(w *world) {
		if len(w.tree.view.Releases) == 0 {
			_, r := w.offer(42)
			r.Window = &rollout.Window{From: 120, To: 300}
			p := w.disk.(*frail).power
			n := p.left
			p.left = 1 << 30
			w.step()
			p.left = n // cuts begin where the handset is armed
			w.tree.view.Document.Rollouts[0].State = rollout.Halted
		}
		if slot, err := w.slots.Booted(); err != nil || slot == "b" {
			w.device.that.LocalMinute = 0 // it was cut while armed, so the loader tried the slot
		}
		w.once()
	}, func(w *world, n int) {
		if len(w.agent.mem.Failures) != 0 {
			w.Fatalf("cut %d: a halt counts as a failure", n)
		}
		if w.state("b").Armed() {
			w.Fatalf("cut %d: slot b is still armed", n)
		}
	})
}

func TestPauseInTheMiddleGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	conditions := map[rollout.Code]func(*rollout.Conditions){
		rollout.Battery: func(c *rollout.Conditions) { c.BatteryPercent = 14 },
		rollout.Metered: func(c *rollout.Conditions) { c.BatteryPercent, c.Metered = 100, true },
	}
	for code, spoil := range conditions {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(t)
			m, _ := w.publish(42, large())
			syncs := 0
			w.slots.sync = func() {
				switch syncs++; syncs {
				case 1: // below the floor to start, above the floor to stop
					w.device.that.BatteryPercent = 20
				case 2:
					spoil(&w.device.that)
				}
			}
			s := w.step()
			w.code(s, code)
			if syncs != 2 || s.Build != 42 || w.agent.rec.Progress["system"].At == 0 {
				t.Fatalf("paused after %d segments, status %+v", syncs, s)
			}
			w.reboot()
			w.code(w.step(), code)
			asked := len(w.cdn.asked)
			w.device.that = rollout.Conditions{BatteryPercent: 14, MinBattery: 30, FreeBytes: 1 << 30, Charging: true}
			w.once()
			w.runs(42)
			if again := w.cdn.asked[asked:]; len(again) != 1 || strings.HasSuffix(again[0], " from 0") {
				t.Fatalf("it went on with %v", again)
			}
			whole := m.Images[0].Pack.Size + m.Images[0].Index.Size
			if got := w.agent.Downloaded(); got < whole || got > whole+1<<20 {
				t.Fatalf("%d bytes taken, pack and index have %d", got, whole)
			}
		})
	}
}

// A server that ignores Range costs the owner nothing that he did not agree to.
func TestWholeFileOnceMoreOnlyWhereItIsFree(t *testing.T) {
	w := newWorld(t)
	w.publish(42, large())
	syncs := 0
	w.slots.sync = func() {
		if syncs++; syncs == 2 {
			w.device.that.BatteryPercent = 1
		}
	}
	w.code(w.step(), rollout.Battery)
	w.slots.sync = nil
	w.cdn.noRange = true
	w.device.that = rollout.Conditions{BatteryPercent: 100, MinBattery: 30, FreeBytes: 1 << 30, Metered: true}
	if err := w.agent.GetItNow(false, true); err != nil { // the owner pays for the rest, not for all of it again
		t.Fatal(err)
	}
	s := w.step()
	w.code(s, rollout.Metered)
	if !strings.Contains(s.Sentence, "whole files only") {
		t.Fatalf("said %q", s.Sentence)
	}
	w.device.that.Metered = false
	w.once()
	w.runs(42)
}

func TestFullDiskIsSaidAndRecovers(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "b.img", Err: syscall.ENOSPC}
	w := newWorld(t)
	w.offer(42)
	w.slots.write = func() error { return full }
	for range 2 {
		s, err := w.agent.Step(t.Context())
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some storage") || s.Code != "error" || s.Sentence != err.Error() {
			t.Fatalf("status %+v, %v", s, err)
		}
	}
	w.runs(41)
	w.slots.write = nil
	w.once()
	w.runs(42)
}

func TestUnreachableTreeLeavesTheUpdateWhereItWas(t *testing.T) {
	w, _ := armed(t)
	w.tree.err = errors.New("no network")
	if s, err := w.agent.Step(t.Context()); err == nil || s.State != RebootPending || w.agent.RestartWanted() {
		t.Fatalf("status %+v, %v", s, err)
	}
	w.tree.err, w.device.that.LocalMinute = nil, 130
	w.once()
	w.runs(42)
}

func TestSpoiledSlotIsWrittenAgainAndReportedOnce(t *testing.T) {
	w := newWorld(t)
	w.reports.on, w.reports.acknowledged = true, true
	_, r := w.offer(42)
	w.slots.sync = func() { // the medium does not keep what it was given
		f, err := os.OpenFile(w.slots.Image("b", "system"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte("spoiled"), 100)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.agent.Step(t.Context()); err == nil || w.state("b").Bootable {
		t.Fatalf("a spoiled slot was accepted: %v", err)
	}
	r.State = rollout.Held
	for range 3 {
		w.code(w.once(), rollout.HeldCode)
	}
	if got := w.reports.count("refusal"); got != 1 {
		t.Fatalf("%d refusals reported: %v", got, w.reports.said)
	}
	w.noted(0, "started of 42", "failed of 42")
	w.slots.sync, r.State = nil, rollout.Active
	w.once()
	w.runs(42)
}

func (r *reports) count(class string) (n int) {
	for _, s := range r.said {
		if strings.HasPrefix(s, class) {
			n++
		}
	}
	return n
}

func (w *world) damage(name string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.config.State, name), []byte("\x00damage"), 0o600); err != nil {
		w.Fatal(err)
	}
}

func TestDamagedJournalIsFoundOutFromTheBootLoader(t *testing.T) {
	t.Run("download", func(t *testing.T) {
		w := newWorld(t)
		w.offer(42)
		w.slots.write = func() error { return syscall.EIO }
		if _, err := w.agent.Step(t.Context()); err == nil {
			t.Fatal("written all the same")
		}
		w.slots.write = nil
		w.damage("journal")
		w.reboot()
		w.once()
		w.runs(42)
	})
	t.Run("armed", func(t *testing.T) {
		w, r := armed(t)
		w.damage("journal")
		w.start()
		if w.state("b").Armed() {
			t.Fatal("a slot of which nobody knows stays armed")
		}
		r.Window = nil
		w.once()
		w.runs(42)
	})
	for program, want := range map[string]manifests.Build{"true": 42, "false": 41} {
		t.Run("trial "+program, func(t *testing.T) {
			w, r := armed(t)
			r.Window = nil
			w.config.Health = [][]string{{program}}
			w.damage("journal")
			if slot, err := w.slots.Boot(); err != nil || slot != "b" {
				t.Fatalf("slot %s boots, %v", slot, err)
			}
			w.start()
			w.once()
			w.runs(want)
			if failures := w.agent.mem.Failures["42"]; (failures == 1) != (want == 41) {
				t.Fatalf("%d failures", failures)
			}
		})
	}
}

func TestDamagedMemoryIsSetAsideAndTheFloorFoundAgain(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.once()
	w.damage("memory.json")
	w.start()
	if w.agent.mem.Floor != 2 {
		t.Fatalf("the floor is %d", w.agent.mem.Floor)
	}
	if _, err := os.Stat(filepath.Join(w.config.State, "memory.json.damaged")); err != nil {
		t.Fatal(err)
	}
	w.code(w.once(), rollout.UpToDate)
}

// A new secret would draw a new place in the order of rollouts, so that is for
// people to decide.
func TestDamagedSecretStopsTheAgentWithWords(t *testing.T) {
	w := newWorld(t)
	before := w.agent.secret
	w.start()
	if w.agent.secret != before {
		t.Fatal("the secret changes at each start")
	}
	w.damage("secret")
	if err := w.tryStart(); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(filepath.Join(w.config.State, "secret")); err != nil {
		t.Fatal(err)
	}
	w.start()
	if w.agent.secret == before || w.agent.secret == (rollout.Secret{}) {
		t.Fatal("no new secret was drawn")
	}
}

func TestSpentWishDoesNotOutliveAPowerCut(t *testing.T) {
	t.Parallel()
	everyCut(t, 20, func(w *world) {
		if len(w.tree.view.Releases) == 0 {
			_, r := w.offer(42)
			r.Share = 0
			p := w.disk.(*frail).power
			n := p.left
			p.left = 1 << 30
			if err := w.agent.GetItNow(false, false); err != nil {
				w.Fatal(err)
			}
			p.left = n // cuts begin where the wish is known
		}
		w.once()
		w.once()
	}, func(w *world, n int) {
		w.runs(42)
		if w.agent.mem.Wish != (wish{}) {
			w.Fatalf("cut %d: %+v is left for the next build", n, w.agent.mem.Wish)
		}
	})
}

// Between reading back and arming may lie days.
func TestSlotThatChangedWhileItWaitedIsNotArmed(t *testing.T) {
	w := newWorld(t)
	w.reports.on = true // and nobody acknowledges the attempt
	w.offer(42)
	if s := w.step(); s.State != Staged {
		t.Fatalf("status %+v", s)
	}
	f, err := os.OpenFile(w.slots.Image("b", "system"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("changed"), 5000)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	w.reports.acknowledged = true
	if _, err := w.agent.Step(t.Context()); !errors.Is(err, install.ErrSlot) || w.state("b").Bootable {
		t.Fatalf("a changed slot was armed (%+v): %v", w.state("b"), err)
	}
	w.once()
	w.runs(42)
}
