package rollout

import (
	"time"

	policy "github.com/candor-ota/candor/manifests/rollout"
)

// draft is written by its author; nobody else has been asked.
var draft = state{
	actions: map[Action]func(*Rollout, Facts) error{
		Propose: propose,
		Start:   startDraft,
		Abandon: abandon,
		Halt:    abandon, // what never began is merely given up
	},
	next: func(*Rollout, Evidence, time.Time) Decision {
		return Decision{Sentence: "a draft; propose or start it"}
	},
}

// startDraft proposes and starts in one, where nobody else is needed.
func startDraft(r *Rollout, f Facts) error {
	if err := propose(r, f); err != nil {
		return err
	}
	if r.State == Proposed {
		return blocked(r.enterWaits(0, f.Evidence, f.Now))
	}
	return start(r, f)
}

// start opens the first stage, or schedules it for the moment that the plan
// says. A plan that the signed pace will not allow by then is refused.
func start(r *Rollout, f Facts) error {
	opens := f.Now
	if r.Plan.Start != nil && r.Plan.Start.After(f.Now) {
		opens = r.Plan.Start.Time
	}
	waits := append(r.clockWait(f.Now), r.enterWaits(0, f.Evidence, opens)...)
	if f.BreakGlass {
		waits = append(r.clockWait(f.Now), r.signedWaits(0, f.Evidence, opens)...)
	}
	if err := blocked(waits); err != nil {
		return err
	}
	if opens.After(f.Now) && !f.BreakGlass {
		r.State = policy.Scheduled
		return nil
	}
	enter(r, 0, f.Now)
	return nil
}
