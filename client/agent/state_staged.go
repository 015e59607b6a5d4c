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

// staged casts the attempt before anything can go wrong, since a bricked
// handset cannot speak later, and waits a while for its acknowledgement
// (AMENDMENTS H6).
func (a *Agent) staged(ctx context.Context) (State, error) {
	if !a.Reports.Enabled() {
		return Arming, nil
	}
	ref := a.ref()
	if err := a.Reports.Report(ref, vote.Attempt, vote.Vote{V: 1}, a.Config.Report.AttemptWithin.Duration); err != nil {
		a.Log.Warn("the attempt is not reported", "reason", err)
		return Arming, nil
	}
	if err := a.Reports.Send(ctx); err != nil {
		a.Log.Warn("reports wait", "reason", err)
	}
	up, err := a.Device.Uptime()
	if err != nil {
		return Staged, err
	}
	waited := up - time.Duration(a.rec.StagedAt)*time.Second
	if a.Reports.Acknowledged(ref, vote.Attempt) || waited >= a.Config.Report.AttemptWait.Duration || waited < 0 {
		return Arming, nil
	}
	a.say("", a.rec.Build, "Build %d is installed; the restart waits for the report of the attempt, at most %s.", a.rec.Build, (a.Config.Report.AttemptWait.Duration - waited).Round(time.Second))
	return Staged, nil
}

func (a *Agent) ref() vote.Ref { return vote.Ref{Product: a.Config.Product, Build: a.rec.Build} }

// arming polls once more, and arms the slot only if the offer still stands.
// Arming is the single commit point.
func (a *Agent) arming(ctx context.Context) (State, error) {
	off, wait, err := a.still(ctx)
	switch {
	case err != nil:
		return Arming, err
	case off != nil:
		return a.callOff(off)
	case wait != nil:
		a.mem.Last = Status{Code: wait.Code, Sentence: wait.Sentence, Build: wait.Build}
		return Arming, nil
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
	a.mem.Last = Status{Code: h.Code, Sentence: h.Sentence, Build: h.Build}
	a.note(receipts.Entry{Kind: receipts.CalledOff, Build: a.rec.Build, From: a.rec.From, Release: a.rec.Release, Why: h.Sentence})
	a.rec.StagedAt, a.rec.Restarted = 0, false
	return a.enter(Idle)
}
