package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests/rollout"
)

// failing is a handset of which no write succeeds, and whose random waits are
// the longest there are.
func failing(t *testing.T) *world {
	w := newWorld(t)
	w.offer(42)
	w.slots.write = func() error { return syscall.EIO }
	w.longest()
	return w
}

func (w *world) longest() { w.agent.Random = func(n int64) int64 { return n - 1 } }

// fails makes a step that fails, and gives the wait that follows.
func (w *world) fails() (NextTry, time.Duration) {
	w.Helper()
	if _, err := w.agent.Step(w.Context()); err == nil {
		w.Fatal("the step succeeded")
	}
	next, failed := w.agent.NextTry()
	if !failed || next.Why == "" {
		w.Fatalf("no next try: %+v", next)
	}
	return next, next.At.Sub(w.device.now)
}

func TestFailuresAreTriedAgainWithABackoffThatDoubles(t *testing.T) {
	w := failing(t)
	for n := range 8 {
		want := min(time.Minute<<n, w.config.Poll.Every.Duration)
		if _, wait := w.fails(); wait != want {
			t.Fatalf("after failure %d the wait is %s, want %s", n+1, wait, want)
		}
	}
	w.slots.write = nil
	w.once()
	if _, failed := w.agent.NextTry(); failed {
		t.Fatal("a step that succeeded is tried again")
	}
}

func TestWaitsAreJitteredInFull(t *testing.T) {
	w := failing(t)
	w.agent.Random = func(int64) int64 { return 0 }
	if _, wait := w.fails(); wait != time.Second {
		t.Fatalf("the shortest wait is %s", wait)
	}
	asked := int64(0)
	w.agent.Random = func(n int64) int64 { asked = n; return n / 2 }
	if _, wait := w.fails(); wait != time.Minute || asked != int64(2*time.Minute)+1 {
		t.Fatalf("waits %s, one of %d", wait, asked)
	}
}

func TestTriesOfADayAreBoundedAcrossRestartsOfTheProcess(t *testing.T) {
	w := failing(t)
	for n := range triesADay - 1 {
		if next, wait := w.fails(); wait <= 0 || next.Tries != n+1 {
			t.Fatalf("try %d: %+v", n+1, next)
		}
		w.start()
		w.longest()
	}
	w.agent.Random = func(int64) int64 { return 0 } // the shortest waits
	for range 3 {                                   // ordinary polls alone
		if next, wait := w.fails(); wait < w.config.Poll.Every.Duration {
			t.Fatalf("more than %d tries a day: %+v", triesADay, next)
		}
	}
	w.longest()
	w.device.now = w.device.now.Add(budgetDay)
	if next, wait := w.fails(); wait <= 0 || next.Tries != 1 {
		t.Fatalf("the next day: %+v", next)
	}
	w.device.now = w.device.now.Add(-30 * 24 * time.Hour)
	if next, wait := w.fails(); wait > w.config.Poll.Every.Duration || next.Tries != 1 {
		t.Fatalf("a clock that was set back: %+v", next)
	}
	w.device.now = w.device.now.Add(-30 * 24 * time.Hour)
	if next, failed := w.agent.NextTry(); !failed || !next.At.Equal(w.device.now) {
		t.Fatalf("a wait far ahead counts: %+v", next)
	}
}

func TestAnotherReleaseHasItsOwnBudget(t *testing.T) {
	w := failing(t)
	for range triesADay {
		w.fails()
	}
	w.offer(43)
	if next, wait := w.fails(); wait != time.Minute || next.Tries != 1 {
		t.Fatalf("%+v after %s", next, wait)
	}
}

func TestServerThatAsksForRestGetsIt(t *testing.T) {
	w := newWorld(t)
	w.agent.Random = func(int64) int64 { return int64(10 * time.Second) }
	w.tree.err = fmt.Errorf("timestamp: not reachable: %w", &fetch.BusyError{Until: time.Now().Add(40 * time.Minute)})
	for range triesADay + 2 { // also when no tries are left
		next, wait := w.fails()
		if rest := next.Busy.Sub(w.device.now); rest < 39*time.Minute || rest > 41*time.Minute {
			t.Fatalf("rest of %s", rest)
		}
		if next.Tries < triesADay && (wait < 40*time.Minute || wait > 41*time.Minute) {
			t.Fatalf("tried again after %s", wait)
		}
	}
	w.tree.err = nil
	w.code(w.once(), rollout.UpToDate)
}

func TestStoppingIsNoFailure(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	ctx, stop := context.WithCancel(t.Context())
	w.slots.sync = stop
	if s, err := w.agent.Step(ctx); err == nil || s.Code == FailureCode {
		t.Fatalf("status %+v, %v", s, err)
	}
	if _, failed := w.agent.NextTry(); failed {
		t.Fatal("counted as a failure")
	}
	w.slots.sync = nil
	w.once()
	w.runs(42)
}

func TestOwnersRequestInterruptsADownloadAndLosesNothing(t *testing.T) {
	w := newWorld(t)
	m, _ := w.publish(42, large())
	interrupt := make(chan struct{}, 1)
	w.agent.Interrupt = interrupt
	syncs := 0
	w.slots.sync = func() {
		if syncs++; syncs == 1 {
			interrupt <- struct{}{}
			for len(interrupt) > 0 { // until it is seen
				w.device.up++
			}
		}
	}
	s, err := w.agent.Step(t.Context())
	if !errors.Is(err, ErrInterrupted) || s.Code == FailureCode {
		t.Fatalf("status %+v, %v", s, err)
	}
	if _, failed := w.agent.NextTry(); failed {
		t.Fatal("counted as a failure")
	}
	w.must(w.agent.Postpone(time.Hour))
	w.tree.view.Document.Rollouts[0].Deferral.Duration = 2 * time.Hour
	w.code(w.step(), rollout.Postponed)
	w.must(w.agent.GetItNow(false, false))
	w.once()
	w.runs(42)
	if got, whole := w.agent.Downloaded(), fullBytes(m); got > whole+1<<20 {
		t.Fatalf("%d bytes downloaded, pack and index have %d", got, whole)
	}
}

// What cannot be ended early without loss goes on.
func TestInterruptTouchesNeitherArmingNorTrial(t *testing.T) {
	w, _ := armed(t)
	interrupt := make(chan struct{}, 1)
	w.agent.Interrupt = interrupt
	interrupt <- struct{}{}
	w.device.that.LocalMinute = 130
	w.step()
	if !w.agent.RestartWanted() {
		t.Fatal("the restart was interrupted")
	}
	w.reboot()
	w.agent.Interrupt = interrupt
	for len(interrupt) > 0 {
		<-interrupt
	}
	interrupt <- struct{}{}
	if _, err := w.agent.Step(t.Context()); err != nil && !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	w.runs(42)
}

func TestHaltEndsALongDownload(t *testing.T) {
	w := newWorld(t)
	_, r := w.publish(42, large())
	w.slots.sync = func() {
		w.device.up += w.config.Poll.Every.Duration
		halted := *r
		halted.State = rollout.Halted
		w.tree.view.Document = &rollout.Document{Product: phone, Counter: 2, Rollouts: []rollout.Rollout{halted}}
	}
	s := w.step()
	w.code(s, rollout.HaltedCode)
	if s.State != Idle || w.agent.rec.Progress["system"].At == 0 || w.agent.rec.Written != 0 {
		t.Fatalf("status %+v, progress %+v of %d images", s, w.agent.rec.Progress, w.agent.rec.Written)
	}
	w.slots.sync, w.tree.view.Document.Rollouts[0].State = nil, rollout.Active
	w.once()
	w.runs(42)
}

func TestDownloadGoesOnWhereNoNewsComesInItsMidst(t *testing.T) {
	w := newWorld(t)
	w.publish(42, large())
	w.slots.sync = func() {
		w.device.up += w.config.Poll.Every.Duration
		w.tree.err = errors.New("no route")
	}
	if s, err := w.agent.Step(t.Context()); err == nil || s.State != Staged {
		t.Fatalf("status %+v, %v", s, err) // only what comes after the download needs news
	}
	w.slots.sync, w.tree.err = nil, nil
	w.once()
	w.runs(42)
}

// A program that does not restart the handset is not asked again and again, and
// what is waited for ends with the restart, however that comes about: a build
// on trial that waited would use its tries up.
func TestRestartThatFailsIsTriedAgainWithABackoffThatDoubles(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.longest()
	for n := range 4 {
		if w.step(); !w.agent.RestartWanted() {
			t.Fatalf("%+v", w.agent.Status())
		}
		s, err := w.agent.RestartFailed(errors.New("systemctl reboot: no bus"))
		if err == nil || s.Code != FailureCode || s.State != RebootPending || s.Build != 42 || !strings.Contains(s.Sentence, "no bus") {
			t.Fatalf("%+v, %v", s, err)
		}
		next, failed := w.agent.NextTry()
		if wait, want := next.At.Sub(w.device.now), time.Minute<<n; !failed || wait != want || next.Tries != n+1 {
			t.Fatalf("after failure %d: %+v, want to wait for %s", n+1, next, want)
		}
		w.start()
		w.longest()
	}
	w.reboot() // the owner's own doing
	if next, _ := w.agent.NextTry(); next.At.After(w.device.now) {
		t.Fatalf("the trial waits: %+v", next)
	}
	w.once()
	w.runs(42)
	if next, failed := w.agent.NextTry(); failed {
		t.Fatalf("%+v", next)
	}
}
