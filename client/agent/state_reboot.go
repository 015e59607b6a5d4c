package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/hooks"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// rebootPending decides again at each poll: a halt reaches armed handsets too
// (AMENDMENTS H7). It restarts when the owner's window is open.
func (a *Agent) rebootPending(ctx context.Context) (State, error) {
	off, wait, err := a.still(ctx)
	if err != nil {
		return RebootPending, err
	}
	if off != nil {
		// A power cut after Disarm must not look like a trial that failed.
		if _, err := a.enter(Arming); err != nil {
			return RebootPending, err
		}
		if err := a.Slots.Disarm(boot.Slot(a.rec.Slot)); err != nil {
			return RebootPending, err
		}
		return a.callOff(off)
	}
	if wait != nil && (wait.Code == rollout.Postponed || wait.Code == rollout.AskFirst) {
		return a.unarm()
	}
	if wait == nil {
		if wait, err = a.restartHold(ctx); err != nil {
			return RebootPending, err
		}
	}
	if wait != nil {
		a.hold(wait)
		return RebootPending, nil
	}
	a.rec.Restarted = true
	if _, err := a.enter(RebootPending); err != nil {
		return RebootPending, err
	}
	a.say("", a.rec.Build, "Restarting into build %d.", a.rec.Build)
	a.restart = true
	return RebootPending, nil
}

// unarm takes arming back when the owner says "later" to an armed slot: a
// restart of his own must not install what he put off. It is armed again when
// his time is over.
func (a *Agent) unarm() (State, error) {
	if _, err := a.enter(Arming); err != nil { // as above
		return RebootPending, err
	}
	return Arming, a.Slots.Disarm(boot.Slot(a.rec.Slot))
}

// restartHold holds the restart on the window, then on the integrator's word.
func (a *Agent) restartHold(ctx context.Context) (*rollout.Hold, error) {
	hold, err := a.windowHold()
	if err != nil || hold != nil {
		return hold, err
	}
	return a.askHook(ctx, hooks.PreReboot)
}

func (a *Agent) windowHold() (*rollout.Hold, error) {
	if a.rec.Bundle {
		return nil, nil // its owner stands beside it
	}
	in, err := a.input()
	if err != nil {
		return nil, err
	}
	return rollout.CheckRestart(in.Handset, a.offer, in.Times), nil
}

// reconcile compares the journal with what the boot loader did. The loader's
// word counts.
func (a *Agent) reconcile() error {
	if a.rec.State == "" {
		a.rec.State = Idle
	}
	switch a.rec.State {
	case Arming, RebootPending, Trying, Committing:
	default:
		if err := a.adopt(); err != nil {
			return err
		}
		return a.raiseFloor()
	}
	booted, err := a.Slots.Booted()
	if err != nil {
		return err
	}
	target := boot.Slot(a.rec.Slot)
	state, err := a.Slots.State(target)
	if err != nil {
		return err
	}
	switch {
	case booted == target && state.Good:
		_, err = a.enter(Committing)
	case booted == target:
		_, err = a.enter(Trying)
	case state.Armed():
		_, err = a.enter(RebootPending) // not tried yet
	case a.rec.State == Arming && !state.Spent:
		return nil // cut before the commit point
	default:
		if a.rec.Reason == "" {
			a.rec.Reason = "boot_loop"
		}
		_, err = a.enter(RolledBack)
	}
	return err
}

// adopt looks after slots of which a lost journal says nothing: a running one
// that is not proved yet is on trial, and an armed one is disarmed, since
// nobody would hear of a halt.
func (a *Agent) adopt() error {
	booted, err := a.Slots.Booted()
	if err != nil {
		return err
	}
	state, err := a.Slots.State(booted)
	if err != nil {
		return err
	}
	other, err := a.spare()
	if err != nil {
		return err
	}
	if state.Good {
		if state, err = a.Slots.State(other); err != nil || !state.Armed() {
			return err
		}
		return a.Slots.Disarm(other)
	}
	running, err := a.Slots.Metadata(booted)
	if err != nil {
		return err
	}
	before, err := a.Slots.Metadata(other)
	if err != nil {
		return err
	}
	a.rec = record{
		Build: running.Build, From: before.Build, Slot: string(booted), Epoch: uint32(running.SecurityEpoch),
		Tries: a.mem.Failures[running.Build.String()] + 1, Began: new(manifests.At(a.now)), Restarted: true,
	}
	_, err = a.enter(Trying)
	return err
}

// raiseFloor takes over the epoch of the running build, which is marked good:
// the floor is that of the last healthy boot.
func (a *Agent) raiseFloor() error {
	booted, err := a.Slots.Booted()
	if err != nil {
		return err
	}
	state, err := a.Slots.State(booted)
	if err != nil {
		return err
	}
	running, err := a.Slots.Metadata(booted)
	if err != nil {
		return err
	}
	if !state.Good {
		return nil
	}
	a.noteRegression(running.Build)
	if running.SecurityEpoch <= a.mem.Floor && running.Build == a.mem.Good {
		return nil
	}
	if running.Build != a.mem.Good {
		a.mem.Good, a.mem.GoodSince = running.Build, new(manifests.At(a.now))
	}
	a.mem.Floor = max(a.mem.Floor, running.SecurityEpoch)
	return a.saveMemory()
}

// noteRegression reports that a build which had proved itself no longer boots:
// the loader fell back to an older one (AMENDMENTS M4).
func (a *Agent) noteRegression(running manifests.Build) {
	if running >= a.mem.Good || a.mem.GoodSince == nil {
		return
	}
	a.note(receipts.Entry{Kind: receipts.FellBack, Build: a.mem.Good, From: running})
	a.noteLabel(running, a.mem.Good)
	if !a.Reports.Enabled() {
		return
	}
	v := vote.Vote{
		V: 1, Reason: vote.BootLoop, FromClass: fromClass(a.mem.Good, running), Attempts: vote.AttemptsOne,
		Duration: vote.BucketDuration(a.now.Sub(a.mem.GoodSince.Time)),
	}
	ref := vote.Ref{Product: a.Config.Product, Build: a.mem.Good}
	if err := a.Reports.Report(ref, vote.Regression, v, a.Config.Report.OutcomeWithin.Duration); err != nil {
		a.Log.Warn("the regression is not reported", "reason", err)
	}
}

var errUnproved = errors.New("the new build did not prove itself")

// trying runs the health checks in the new slot.
func (a *Agent) trying(ctx context.Context) (State, error) {
	if a.rec.Reason != "" { // it failed before, and the loader has not returned yet
		a.restart = true
		return Trying, nil
	}
	err := a.runHook(ctx, hooks.Health)
	switch {
	case err == nil:
		return a.enter(Committing)
	case ctx.Err() != nil: // the agent is stopped, which says nothing about the build
		return Trying, err
	}
	a.rec.Reason = "health_check"
	if _, err := a.enter(Trying); err != nil {
		return Trying, err
	}
	if err := a.Slots.Disarm(boot.Slot(a.rec.Slot)); err != nil {
		return Trying, err
	}
	a.restart = true
	a.say("", a.rec.Build, "%s; returning to the old slot: %v", errUnproved, err)
	a.Log.Warn("health check failed", "build", a.rec.Build, "reason", err)
	return Trying, nil
}

// committing marks the slot good and only then raises the floor.
func (a *Agent) committing(context.Context) (State, error) {
	if err := a.Slots.MarkGood(boot.Slot(a.rec.Slot)); err != nil {
		return Committing, fmt.Errorf("build %d works, but is not marked good: %w", a.rec.Build, err)
	}
	if err := a.raiseFloor(); err != nil {
		return Committing, err
	}
	return a.enter(Reporting)
}
