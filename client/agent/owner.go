package agent

import (
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// Warnings are sentences for the owner about the maker and the way to him.
func (a *Agent) Warnings() []string { return a.mem.Warnings }

// WindowOpens tells when the window opens for which a restart waits, and how
// long it stays open; zero if none does. Who polls more seldom than it is long
// would miss it night after night. While the attempt is not cast, the window
// opens as much earlier as that takes.
func (a *Agent) WindowOpens() (in, length time.Duration) {
	if a.mem.Last.Code != rollout.BeforeWindow || a.offer == nil || a.offer.Window == nil {
		return 0, 0
	}
	c, err := a.Device.Conditions()
	if err != nil {
		return 0, 0
	}
	in, length = a.offer.Window.Opens(c.LocalMinute)
	if a.rec.State == Staged && a.rec.CastAt == 0 {
		in = max(in-a.lead(), 0)
	}
	return in, length
}

// AttemptWaitEnds tells how long the restart still waits for the report of the
// attempt; false: it does not.
func (a *Agent) AttemptWaitEnds() (time.Duration, bool) {
	if a.mem.Last.Code != AttemptCode {
		return 0, false
	}
	left, err := a.attemptWait()
	return max(left, 0), err == nil
}

// Head is the newest link of the chain of rollouts, short enough to compare with
// another handset's.
func (a *Agent) Head() string { return a.mem.Head }

// Downloaded is how many bytes of images were fetched since the handset was
// made.
func (a *Agent) Downloaded() int64 { return a.mem.Downloaded }

// Answer records the owner's word on the notice of a build. A refusal is
// reported, if reports are on.
func (a *Agent) Answer(build manifests.Build, answer rollout.Answer) error {
	put(&a.mem.Consent, build, answer)
	a.noteAnswer(build, answer)
	if answer == rollout.Declined && a.Reports.Enabled() {
		v := vote.Vote{V: 1, Outcome: vote.Declined, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderTenMinutes}
		if err := a.Reports.Report(vote.Ref{Product: a.Config.Product, Build: build}, vote.Refusal, v, a.Config.Report.OutcomeWithin.Duration); err != nil {
			a.Log.Warn("the refusal is not reported", "reason", err)
		}
	}
	return a.saveMemory()
}

// GetItNow skips the share; with pastPace, confirmed a second time, the pace.
// With payForData a metered network is fine.
func (a *Agent) GetItNow(pastPace, payForData bool) error {
	a.mem.Wish.GetItNow, a.mem.Wish.PastPace, a.mem.Wish.PayForData = true, pastPace, payForData
	a.mem.Wish.PostponedSince, a.mem.Wish.PostponedUntil = nil, nil
	if payForData {
		if err := a.pays(); err != nil {
			return err
		}
	}
	a.noteWish("now, not at this handset's turn", map[string]bool{"past the signed pace": pastPace, "on a metered network": payForData})
	return a.saveMemory()
}

// Postpone puts updates off. The release bounds for how long that holds.
func (a *Agent) Postpone(d time.Duration) error {
	now := a.clock()
	a.mem.Wish.GetItNow, a.mem.Wish.PastPace = false, false
	a.noteWish("later, in "+d.String(), nil)
	a.mem.Wish.PostponedSince, a.mem.Wish.PostponedUntil = new(manifests.At(now)), new(manifests.At(now.Add(d)))
	return a.saveMemory()
}

// Retry lets a build that failed here be tried once more.
func (a *Agent) Retry(b manifests.Build) error {
	a.mem.Wish.Retry = b
	a.noteWish("once more build "+b.String(), nil)
	return a.saveMemory()
}
