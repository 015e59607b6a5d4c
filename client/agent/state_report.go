package agent

import (
	"context"

	"github.com/candor-ota/candor/client/hooks"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// reporting queues the outcome and ends the update.
func (a *Agent) reporting(ctx context.Context) (State, error) {
	if err := a.runHook(ctx, hooks.PostCommit); err != nil {
		if ctx.Err() != nil {
			return Reporting, err
		}
		a.Log.Warn("the build stays, though a program that runs after it failed", "build", a.rec.Build, "reason", err)
	}
	a.noteEnd(receipts.Installed, a.rec.Told.Why)
	a.reportTrial(vote.InstalledHealthy, vote.None)
	a.say("", a.rec.Build, "Build %d runs and is healthy.", a.rec.Build)
	a.mem.Wish = wish{}
	if err := a.saveMemory(); err != nil { // or a power cut would carry it over to the next build
		return Reporting, err
	}
	return a.rest()
}

// rolledBack remembers that the build did not work here.
func (a *Agent) rolledBack(context.Context) (State, error) {
	put(&a.mem.Failures, a.rec.Build, a.rec.Tries)
	a.mem.Wish.Retry = 0
	if err := a.saveMemory(); err != nil {
		return RolledBack, err
	}
	reason := vote.Reason(a.rec.Reason)
	a.noteEnd(receipts.RolledBack, "Reason: "+string(reason)+".")
	a.reportTrial(vote.RolledBack, reason)
	a.say("bad-target", a.rec.Build, "Build %d did not prove itself (%s); build %d runs again.", a.rec.Build, reason, a.rec.From)
	return a.rest()
}

func (a *Agent) reportTrial(outcome vote.Outcome, reason vote.Reason) {
	if !a.Reports.Enabled() {
		return
	}
	if err := a.Reports.Report(a.ref(), vote.Trial, a.vote(outcome, reason), a.Config.Report.OutcomeWithin.Duration); err != nil {
		a.Log.Warn("the outcome is not reported", "reason", err)
	}
}

func (a *Agent) vote(outcome vote.Outcome, reason vote.Reason) vote.Vote {
	return vote.Vote{
		V: 1, Outcome: outcome, Reason: reason, FromClass: fromClass(a.rec.Build, a.rec.From),
		Attempts: vote.BucketAttempts(a.rec.Tries), Duration: vote.BucketDuration(a.now.Sub(a.rec.Began.Time)),
	}
}

// fromClass says, coarsely, how old the build was from which the update began.
func fromClass(build, from manifests.Build) vote.FromClass {
	switch build - from {
	case 1:
		return vote.FromPrevious
	case 2:
		return vote.FromSecond
	default:
		return vote.FromOlder
	}
}

// paused looks at the conditions again.
func (a *Agent) paused(context.Context) (State, error) {
	a.rec.Pause = nil
	return Checking, nil
}

// failed reports that the image could not be installed; what holds of it stays,
// and the next poll goes on from there.
func (a *Agent) failed(context.Context) (State, error) {
	a.noteEnd(receipts.Failed, "Reason: "+a.rec.Reason+".")
	if a.Reports.Enabled() {
		v := a.vote(vote.InstallFailed, vote.Reason(a.rec.Reason))
		if err := a.Reports.Report(a.ref(), vote.Refusal, v, a.Config.Report.OutcomeWithin.Duration); err != nil {
			a.Log.Warn("the failure is not reported", "reason", err)
		}
	}
	a.rec.Reason = ""
	return a.enter(Checking) // reported once, whatever the next poll says
}
