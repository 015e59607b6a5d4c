package rollout

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/verdict"
)

// Evidence is all that is known about a rollout at a moment.
type Evidence struct {
	Release *manifests.Release // nil: the engineers no longer sign it
	Votes   verdict.Evidence   // as they were counted, from the start
	Before  *Rollout           // that of the release before; nil: none
	// ApprovalShare is the share above which two people must agree.
	ApprovalShare manifests.SharePPM

	mask func(verdict.Counts) verdict.Counts // of what people see; nil: all is known
}

// Decision is what the engine does about a rollout, and why.
type Decision struct {
	Action   Action          // Start, Advance or Halt; empty: wait
	Reason   string          // of an action, for owners and colleagues
	Verdict  verdict.Verdict // empty while the rollout judges nothing
	Waits    []Wait          // all that stands between now and the next step
	Sentence string          // the state in words
}

// Wait is one thing that stands in the way of the next step.
type Wait struct {
	Code     string    // of package api
	Until    time.Time // zero: not known
	Sentence string
}

// Next decides what becomes of a rollout without anybody's touching it. It is
// pure: the same rollout, evidence and time give the same decision.
func Next(r *Rollout, e Evidence, now time.Time) Decision {
	s, ok := states[r.State]
	if !ok {
		return Decision{Sentence: fmt.Sprintf("the rollout is %s", r.State)}
	}
	return s.next(r, e, now)
}

// Judge holds the votes that count against the plan's rules.
func (r *Rollout) Judge(e Evidence) verdict.Verdict {
	return verdict.Judge(r.Rules(e), r.Judged(e))
}

// Judged is the part of the evidence that counts: what came after the last
// resumption.
func (r *Rollout) Judged(e Evidence) verdict.Evidence {
	votes := e.Votes
	votes.Share = r.Share()
	if r.Acquitted != nil {
		votes.Counts = votes.Counts.Since(*r.Acquitted)
	}
	if e.mask != nil {
		votes.Counts = e.mask(votes.Counts)
		if b := votes.Before; b != nil {
			before := e.mask(*b)
			votes.Before = &before
		}
	}
	votes.Lab = nil
	for _, l := range e.Votes.Lab {
		if l.At.After(r.Resumed.Time) {
			votes.Lab = append(votes.Lab, l)
		}
	}
	return votes
}

// Rules are the limits by which it is judged in its stage.
func (r *Rollout) Rules(e Evidence) verdict.Rules {
	rules := verdict.Rules{Guard: r.Plan.Guard, MinToHalt: minToHalt, Pass: r.Plan.PassLimit(r.Stage)}
	if e.Release != nil {
		rules.MinToHalt = max(minToHalt, e.Release.Votes.MinToHalt)
	}
	return rules
}

// minToHalt is the fewest votes on which a halt rests, whatever is signed.
const minToHalt = 5

// clockWait holds everything while the clock stands before what is recorded:
// a soak or a pace that is measured by such a clock means nothing.
func (r *Rollout) clockWait(now time.Time) []Wait {
	latest := r.StageSince.Time
	if r.Changed.After(latest) {
		latest = r.Changed
	}
	if now.Before(latest.Add(-clockSlack)) {
		return []Wait{{Code: api.CodeClock, Sentence: fmt.Sprintf("the server's clock says %s, but the rollout was changed at %s; set the clock", manifests.At(now), manifests.At(latest))}}
	}
	return nil
}

// clockSlack is how far the clocks of replicas may differ.
const clockSlack = 5 * time.Second

// soakWait is what is left of the stage's shortest stay.
func (r *Rollout) soakWait(now time.Time) []Wait {
	until := r.StageSince.Add(r.Plan.Stages[r.Stage].Soak.Duration)
	if !now.Before(until) {
		return nil
	}
	return []Wait{{Code: api.CodeSoaking, Until: until, Sentence: fmt.Sprintf("stage %d soaks until %s", r.Stage+1, manifests.At(until))}}
}

// enterWaits is what keeps a stage from being opened by the engineers' signed
// words and by the people whose word is missing.
func (r *Rollout) enterWaits(stage int, e Evidence, now time.Time) []Wait {
	out := r.signedWaits(stage, e, now)
	if n := r.Missing(stage, e.ApprovalShare); n > 0 {
		out = append(out, Wait{Code: api.CodeApprovalNeeded, Sentence: fmt.Sprintf(
			"stage %d (%s) needs the word of %d people; %d more must approve it", stage+1, r.Plan.Stages[stage].Share, r.Needed(stage, e.ApprovalShare), n)})
	}
	return out
}

// signedWaits is what the engineers' signed words forbid. Nobody overrides it:
// handsets hold on to the same words.
func (r *Rollout) signedWaits(stage int, e Evidence, now time.Time) []Wait {
	m := e.Release
	if m == nil {
		return []Wait{{Code: api.CodeConflict, Sentence: fmt.Sprintf("the engineers no longer sign build %d", r.Plan.Build)}}
	}
	if now.After(m.OfferUntil.Time) {
		return []Wait{{Code: api.CodeConflict, Sentence: fmt.Sprintf("build %d was to be offered until %s; handsets refuse it now", m.Build, m.OfferUntil)}}
	}
	share := r.Plan.Stages[stage].Share
	if allowed := m.ShareAfter(now.Sub(m.NotBefore.Time)); share > allowed {
		from, _ := PaceReaches(m, share)
		return []Wait{{Code: api.CodePace, Until: from, Sentence: fmt.Sprintf(
			"the engineers signed a pace that reaches %s from %s on; it is %s now", share, manifests.At(from), allowed)}}
	}
	return nil
}

// PaceReaches tells from when the signed pace allows a share; false if never.
func PaceReaches(m *manifests.Release, share manifests.SharePPM) (time.Time, bool) {
	for _, s := range m.Pace {
		if s.MaxShare >= share {
			return m.NotBefore.Add(s.After.Duration), true
		}
	}
	return time.Time{}, false
}

// sentence says the state in words: the verdict, then what comes next.
func sentence(v verdict.Verdict, waits []Wait, now time.Time, next string) string {
	text := v.Sentence
	join := func(more string) {
		if text != "" {
			text += "; "
		}
		text += more
	}
	if v.Outcome == verdict.Halt || next == "" {
		return text
	}
	var until time.Time
	other := 0
	for _, w := range waits {
		if w.Until.After(until) {
			until = w.Until
		}
		if w.Until.IsZero() {
			other++
		}
	}
	switch {
	case len(waits) == 0:
		join(next + " now")
	case other == 0:
		join(next + " in " + manifests.Span(until.Sub(now)) + " unless halted")
	default:
		for _, w := range waits {
			if w.Code != api.CodeUndecided && w.Until.IsZero() {
				join(w.Sentence)
			}
		}
		if !until.IsZero() {
			join(next + " in " + manifests.Span(until.Sub(now)) + " at the earliest")
		}
	}
	return text
}
