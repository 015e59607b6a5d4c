package rollout

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
)

// active is open to the share of its stage and watched: soaking first, ready
// once nothing stands in the way of the next stage.
var active = state{
	actions: map[Action]func(*Rollout, Facts) error{
		Approve: approve,
		Pause:   pause,
		Advance: advance,
		Halt:    halt,
	},
	done: []Action{Propose, Start},
	next: nextActive,
}

// Ready tells whether an active rollout waits for nothing any more.
func (r *Rollout) Ready(d Decision) bool { return r.State == policy.Active && len(d.Waits) == 0 }

func nextActive(r *Rollout, e Evidence, now time.Time) Decision {
	v := r.Judge(e)
	d := Decision{Verdict: v}
	if v.Outcome == verdict.Halt { // whatever the clock says
		d.Action, d.Reason = Halt, v.Sentence
		d.Sentence = v.Sentence
		return d
	}
	d.Waits = r.advanceWaits(v, e, now)
	if len(d.Waits) == 0 {
		d.Action, d.Reason = Advance, v.Sentence
	}
	d.Sentence = sentence(v, d.Waits, now, r.nextStep())
	return d
}

func (r *Rollout) nextStep() string {
	if r.Stage == r.last() {
		return "complete"
	}
	return "next stage"
}

// advanceWaits is all that keeps the engine from leaving the stage.
func (r *Rollout) advanceWaits(v verdict.Verdict, e Evidence, now time.Time) []Wait {
	waits := append(r.clockWait(now), r.soakWait(now)...)
	if n, least := e.Votes.Counts.Trials, int64(r.Plan.Stages[r.Stage].MinVotes); n < least {
		waits = append(waits, Wait{Code: api.CodeVotesNeeded, Sentence: fmt.Sprintf("%d trials were counted; stage %d needs %d", n, r.Stage+1, least)})
	}
	if r.Stage < r.last() {
		waits = append(waits, r.enterWaits(r.Stage+1, e, now)...)
	}
	if v.Outcome != verdict.Pass {
		waits = append(waits, Wait{Code: api.CodeUndecided, Sentence: "the votes do not prove that it is good: " + v.Sentence})
	}
	if r.Plan.Advance == policy.Manual {
		waits = append(waits, Wait{Code: api.CodeManual, Sentence: "a person has to advance it"})
	}
	return waits
}

func pause(r *Rollout, _ Facts) error {
	r.State = policy.Held
	return nil
}

// advance leaves the stage for a person. A reason lets the person go ahead of
// the verdict, never against it, and never past soak, votes, people or pace;
// the glass, once broken, lets an admin past all but the verdict and what is
// signed.
func advance(r *Rollout, f Facts) error {
	v := r.Judge(f.Evidence)
	if v.Outcome == verdict.Halt {
		return refuse(api.CodeUndecided, "the votes speak against it: %s", v.Sentence)
	}
	if r.Stage < r.last() && r.Proposer.ID != f.By.ID { // going on is agreeing
		r.agree(f)
	}
	waits := without(r.advanceWaits(v, f.Evidence, f.Now), api.CodeManual)
	if f.Reason != "" {
		waits = without(waits, api.CodeUndecided)
	}
	if f.BreakGlass {
		waits = without(waits, api.CodeSoaking, api.CodeVotesNeeded, api.CodeApprovalNeeded)
	}
	if err := blocked(waits); err != nil {
		return err
	}
	if r.Stage == r.last() {
		r.State = policy.Complete
		return nil
	}
	enter(r, r.Stage+1, f.Now)
	return nil
}

// agree counts somebody who advances as approving the next stage.
func (r *Rollout) agree(f Facts) {
	for i := range r.Approvals {
		if r.Approvals[i].ID == f.By.ID {
			r.Approvals[i].UpTo = max(r.Approvals[i].UpTo, r.Stage+1)
			return
		}
	}
	f.UpTo = nil
	r.Approvals = append(r.Approvals, Approval{Person: f.By, At: at(f), Why: f.Reason, UpTo: r.Stage + 1})
}
