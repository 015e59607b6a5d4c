package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// votingWorld is a handset whose owner reports, and to which build 42 is
// offered with a window from 02:00 to 05:00.
func votingWorld(t *testing.T, minute rollout.ClockTime) (*world, *rollout.Rollout) {
	t.Helper()
	w := newWorld(t)
	w.reports.on, w.reports.acknowledged = true, true
	w.device.that.LocalMinute = minute
	_, r := w.offer(42)
	r.Window = &rollout.Window{From: 120, To: 300}
	return w, r
}

func (w *world) notCast() {
	w.Helper()
	if n := w.reports.count("attempt"); n != 0 || w.state("b").Armed() {
		w.Fatalf("%d attempts cast, slot b is %+v", n, w.state("b"))
	}
}

func TestAttemptIsCastOnlyWhenItsWindowIsNear(t *testing.T) {
	w, _ := votingWorld(t, 600)
	if s := w.step(); s.State != Staged || s.Code != rollout.BeforeWindow {
		t.Fatalf("status %+v", s)
	}
	w.notCast()
	lead := w.config.Report.AttemptWithin.Duration + w.config.Report.AttemptWait.Duration
	if in, length := w.agent.WindowOpens(); in != 16*time.Hour-lead || length != 3*time.Hour {
		t.Errorf("the attempt is due in %s, within %s", in, length)
	}
	w.device.that.LocalMinute = 49 // 71 minutes before
	w.code(w.step(), rollout.BeforeWindow)
	w.notCast()
	w.device.that.LocalMinute = 50
	w.code(w.step(), rollout.BeforeWindow)
	if w.reports.count("attempt") != 1 || !w.state("b").Armed() {
		t.Fatalf("said %v, slot b is %+v", w.reports.said, w.state("b"))
	}
	if in, _ := w.agent.WindowOpens(); in != 70*time.Minute {
		t.Errorf("the window opens in %s", in)
	}
	w.device.that.LocalMinute = 121
	w.once()
	w.runs(42)
}

func TestAttemptIsCastInsideTheWindow(t *testing.T) {
	w, _ := votingWorld(t, 299)
	w.once()
	w.runs(42)
	if n := w.reports.count("attempt"); n != 1 {
		t.Fatalf("%d attempts", n)
	}
}

// A handset that is switched off every night gets its update all the same.
func TestWindowsThatAreMissedForTwoDaysArmOutsideOfThem(t *testing.T) {
	w, _ := votingWorld(t, 600)
	w.step()
	at := func(d time.Duration) { w.tree.view.Expiry, w.tree.view.Pace = began.Add(d), began.Add(d) }
	at(patience - time.Second)
	w.reboot()
	w.code(w.step(), rollout.BeforeWindow)
	w.notCast()
	at(patience)
	w.code(w.step(), rollout.BeforeWindow)
	if !w.state("b").Armed() {
		t.Fatal("not armed")
	}
	if slot := w.reboot(); slot != "b" { // the owner switches it off and on
		t.Fatalf("slot %s boots", slot)
	}
	w.once()
	w.runs(42)
}

func TestNothingIsCastWhileTheOwnerOrTheBatteryWaits(t *testing.T) {
	for name, c := range map[string]struct {
		hold, lift func(w *world)
		code       rollout.Code
	}{
		"later": {
			func(w *world) { w.must(w.agent.Postpone(24 * time.Hour)) },
			func(w *world) { w.must(w.agent.GetItNow(false, false)) }, rollout.Postponed,
		},
		"battery": {
			func(w *world) { w.device.that.BatteryPercent = 20 },
			func(w *world) { w.device.that.Charging = true }, rollout.Battery,
		},
		"optional, no longer chosen": {
			func(w *world) {
				w.tree.view.Document.Rollouts[0].Kind = manifests.KindOptional
				w.must(w.agent.Postpone(time.Second))
			},
			func(w *world) { w.must(w.agent.GetItNow(false, false)) }, rollout.AskFirst,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := votingWorld(t, 600)
			r.Deferral = manifests.Duration{Duration: 100 * time.Hour}
			w.step()
			c.hold(w)
			w.device.that.LocalMinute = 130
			for range 2 {
				if s := w.step(); s.State != Staged || s.Code != c.code || s.Since == nil || s.Ends == "" {
					t.Fatalf("status %+v", s)
				}
				w.notCast()
			}
			c.lift(w)
			w.once()
			w.runs(42)
		})
	}
}

func TestMeteredNetworkHoldsNoSlotThatIsReady(t *testing.T) {
	w, _ := votingWorld(t, 600)
	w.step()
	w.device.that.Metered, w.device.that.LocalMinute = true, 130
	w.once()
	w.runs(42)
}

func TestHaltWhileItWaitsForItsWindowIsNoAttempt(t *testing.T) {
	w, r := votingWorld(t, 600)
	w.step()
	r.State, w.device.that.LocalMinute = rollout.Halted, 130
	w.code(w.once(), rollout.HaltedCode)
	w.notCast()
	r.State = rollout.Active
	w.once()
	w.runs(42)
}

// What the owner put off is not installed by a restart of his own.
func TestLaterDisarmsAnArmedSlot(t *testing.T) {
	w, r := armed(t)
	r.Deferral = manifests.Duration{Duration: 100 * time.Hour}
	w.must(w.agent.Postpone(24 * time.Hour))
	w.code(w.step(), rollout.Postponed)
	if slot := w.reboot(); slot != "a" {
		t.Fatalf("slot %s boots", slot)
	}
	w.code(w.step(), rollout.Postponed)
	if len(w.agent.mem.Failures) != 0 {
		t.Fatal("later counts as a failure")
	}
	w.must(w.agent.GetItNow(false, false))
	w.once()
	w.runs(42)
}

func TestPowerCutWhileLaterIsObeyedIsNoFailure(t *testing.T) {
	t.Parallel()
	everyCut(t, 4, func(w *world) {
		if len(w.tree.view.Releases) == 0 {
			_, r := w.offer(42)
			r.Window, r.Deferral = &rollout.Window{From: 120, To: 300}, manifests.Duration{Duration: 100 * time.Hour}
			p := w.disk.(*frail).power
			n := p.left
			p.left = 1 << 30
			w.step()
			w.must(w.agent.Postpone(24 * time.Hour))
			p.left = n // cuts begin where the handset is armed
		}
		w.once()
	}, func(w *world, n int) {
		if len(w.agent.mem.Failures) != 0 {
			w.Fatalf("cut %d: later counts as a failure", n)
		}
		if w.state("b").Armed() {
			w.Fatalf("cut %d: slot b is still armed", n)
		}
	})
}

// A newer build that is not this handset's turn is no reason to drop an older
// one that waits for a charger.
func TestAnotherBuildThatWaitsCallsNothingOff(t *testing.T) {
	w, _ := armed(t)
	_, r := w.offer(43)
	r.Share = 0
	w.device.that.BatteryPercent = 20
	w.code(w.step(), rollout.Battery)
	if !w.state("b").Armed() {
		t.Fatal("slot b is disarmed")
	}
	r.Share = manifests.WholeFleet
	w.device.that.BatteryPercent = 100
	w.code(w.step(), rollout.Withdrawn)
	if w.state("b").Armed() {
		t.Fatal("slot b is armed, and another build is offered")
	}
}

func TestLabHandsetWaitsForNoAttempt(t *testing.T) {
	w, _ := votingWorld(t, 600)
	if _, err := w.agent.LabOn(); err != nil {
		t.Fatal(err)
	}
	w.reports.acknowledged = false
	w.code(w.step(), rollout.BeforeWindow)
	if !w.state(boot.Slot("b")).Armed() || w.reports.count(string(vote.Attempt)) != 0 {
		t.Fatalf("slot b is %+v; said %v", w.state("b"), w.reports.said)
	}
}

func TestWaitForTheReportSaysItsCodeAndItsEnd(t *testing.T) {
	w, _ := votingWorld(t, 130)
	w.reports.acknowledged = false
	s := w.step()
	if s.Code != AttemptCode || !strings.Contains(s.Sentence, "at most 1h") {
		t.Fatalf("status %+v", s)
	}
	w.device.up += 20 * time.Minute
	if left, waits := w.agent.AttemptWaitEnds(); !waits || left != 40*time.Minute {
		t.Fatalf("%s, %t", left, waits)
	}
	w.reports.acknowledged = true
	w.once()
	w.runs(42)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
