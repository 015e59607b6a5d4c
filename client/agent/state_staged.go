package agent

import (
	"context"
	"time"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// bootTries is how often the boot loader tries a new slot before it returns.
const bootTries = 3

// patience is how long a slot that is ready waits for a window in which the
// handset is on. After it, the attempt is cast and the slot armed outside of the
// window: the owner's own restart then takes the new build.
const patience = 48 * time.Hour

// staged waits for what can be waited for before the attempt is cast: the
// owner's "later", a battery, and with reports on, the window. Between attempt
// and restart there is then little time, and who postpones does not look like a
// handset that fell silent.
func (a *Agent) staged(ctx context.Context) (State, error) {
	if a.rec.CastAt == 0 {
		off, wait, err := a.still(ctx)
		switch {
		case err != nil:
			return Staged, err
		case off != nil:
			return a.callOff(off)
		case wait == nil:
			wait, err = a.ready(ctx)
		}
		if wait != nil {
			a.hold(wait)
		}
		if wait != nil || err != nil {
			return Staged, err
		}
	}
	if !a.votes() {
		return Arming, nil
	}
	return a.cast(ctx)
}

// ready tells what the slot waits for when policy lets it go on.
func (a *Agent) ready(ctx context.Context) (wait *rollout.Hold, err error) {
	if a.rec.Staged == nil {
		if wait, err = a.postInstall(ctx); wait != nil || err != nil {
			return wait, err
		}
	}
	if !a.votes() {
		return nil, nil
	}
	return a.windowFar()
}

// votes tells whether an attempt is to be reported. In lab mode there is none.
func (a *Agent) votes() bool { return a.Reports.Enabled() && a.labID() == nil }

// lead is how long before the window the attempt is cast, so that it is
// acknowledged when the window opens.
func (a *Agent) lead() time.Duration {
	return a.Config.Report.AttemptWithin.Duration + a.Config.Report.AttemptWait.Duration
}

// windowFar holds the attempt while the window is further off than an
// acknowledgement may take.
func (a *Agent) windowFar() (*rollout.Hold, error) {
	hold, err := a.windowHold()
	if err != nil || hold == nil {
		return nil, err
	}
	if s := a.rec.Staged; s != nil && !a.view.Expiry.Before(s.Add(patience)) {
		return nil, nil
	}
	c, err := a.Device.Conditions()
	if err != nil {
		return nil, err
	}
	if in, _ := a.offer.Window.Opens(c.LocalMinute); in <= a.lead() {
		return nil, nil
	}
	return hold, nil
}

// cast reports the attempt before anything can go wrong, since a bricked handset
// cannot speak later, and waits a while for its acknowledgement (AMENDMENTS H6).
func (a *Agent) cast(ctx context.Context) (State, error) {
	if a.rec.CastAt == 0 {
		up, err := a.Device.Uptime()
		if err != nil {
			return Staged, err
		}
		a.rec.CastAt = max(int64(up/time.Second), 1)
		if _, err := a.enter(Staged); err != nil {
			return Staged, err
		}
	}
	ref, within := a.ref(), a.Config.Report.AttemptWithin.Duration
	if a.rec.Bundle {
		within = 0 // nobody waits: the network may be far, and the owner is near
	}
	if err := a.Reports.Report(ref, vote.Attempt, vote.Vote{V: 1}, within); err != nil {
		a.Log.Warn("the attempt is not reported", "reason", err)
		return Arming, nil
	}
	if err := a.Reports.Send(ctx); err != nil {
		a.Log.Warn("reports wait", "reason", err)
	}
	left, err := a.attemptWait()
	if err != nil {
		return Staged, err
	}
	if left <= 0 || a.rec.Bundle || a.Reports.Acknowledged(ref, vote.Attempt) {
		return Arming, nil
	}
	a.say(AttemptCode, a.rec.Build, "Build %d is installed; the restart waits for the report of the attempt, at most %s.", a.rec.Build, left.Round(time.Second))
	return Staged, nil
}

// attemptWait is how long the acknowledgement is still waited for. After a
// restart uptime begins anew, and the wait is over.
func (a *Agent) attemptWait() (time.Duration, error) {
	up, err := a.Device.Uptime()
	if err != nil {
		return 0, err
	}
	waited := up - time.Duration(a.rec.CastAt)*time.Second
	if waited < 0 {
		return 0, nil
	}
	return a.Config.Report.AttemptWait.Duration - waited, nil
}

func (a *Agent) ref() vote.Ref { return vote.Ref{Product: a.Config.Product, Build: a.rec.Build} }

// arming polls once more, and arms the slot only if the offer still stands and
// the slot was read back in this very step. Arming is the single commit point.
func (a *Agent) arming(ctx context.Context) (State, error) {
	off, wait, err := a.still(ctx)
	switch {
	case err != nil:
		return Arming, err
	case off != nil:
		return a.callOff(off)
	case wait != nil:
		a.hold(wait)
		return Arming, nil
	}
	if !a.proved { // it may have waited for days, and changed
		if at, err := a.readBack(ctx); err != nil {
			return a.unverified(at, err)
		}
	}
	if err := a.forgetTries(); err != nil {
		return Arming, err
	}
	if _, err := a.enter(Arming); err != nil {
		return Arming, err
	}
	if err := a.describeSlot(); err != nil {
		return Arming, err
	}
	if err := a.Slots.Arm(boot.Slot(a.rec.Slot), bootTries); err != nil {
		return Arming, err
	}
	return a.enter(RebootPending)
}

// forgetTries takes away what an earlier trial of the same slot left behind, so
// that tries which are used up afterwards are those of this one: the power may
// be cut before the journal says that the slot was armed, and in each try.
func (a *Agent) forgetTries() error {
	slot := boot.Slot(a.rec.Slot)
	if state, err := a.Slots.State(slot); err != nil || !state.Spent {
		return err
	}
	return a.Slots.MarkUnbootable(slot)
}

// describeSlot records what the slot holds, where the boot side keeps it: the
// build is an attribute of the release, not read from the image.
func (a *Agent) describeSlot() error {
	m := a.offer.Release
	return a.Slots.SetMetadata(boot.Slot(a.rec.Slot), boot.Metadata{
		Product: m.Product, Build: m.Build, SecurityEpoch: m.SecurityEpoch, Version: m.Version,
		Images: boot.Images(m.Images), Label: m.Privacy,
	})
}

// callOff ends an update whose offer is gone. What was written stays in the
// slot, unbootable, and in the journal: if the offer comes back it costs nothing.
func (a *Agent) callOff(h *rollout.Hold) (State, error) {
	a.hold(h)
	a.note(receipts.Entry{Kind: receipts.CalledOff, Build: a.rec.Build, From: a.rec.From, Release: a.rec.Release, Why: h.Sentence})
	a.rec.Staged, a.rec.CastAt, a.rec.Restarted = nil, 0, false
	return a.enter(Idle)
}
