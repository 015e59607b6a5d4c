package rollout

import (
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
)

// held is paused by a person: nobody new installs, and it is still judged.
var held = state{
	actions: map[Action]func(*Rollout, Facts) error{
		Approve: approve,
		Resume:  resumeHeld,
		Halt:    halt,
	},
	done: []Action{Propose, Start, Pause},
	next: func(r *Rollout, e Evidence, _ time.Time) Decision {
		return watch(r, e, "paused until somebody resumes it")
	},
}

// watch judges a rollout that takes no step but a halt.
func watch(r *Rollout, e Evidence, otherwise string) Decision {
	v := r.Judge(e)
	d := Decision{Verdict: v, Sentence: v.Sentence}
	if v.Outcome == verdict.Halt {
		d.Action, d.Reason = Halt, v.Sentence
		return d
	}
	d.Sentence += "; " + otherwise
	return d
}

// resumeHeld begins the stage's soak anew: while it was held nothing was
// learnt.
func resumeHeld(r *Rollout, f Facts) error {
	waits := append(r.clockWait(f.Now), r.signedWaits(r.Stage, f.Evidence, f.Now)...)
	if err := blocked(waits); err != nil {
		return err
	}
	r.State, r.StageSince = policy.Active, at(f)
	return nil
}

func at(f Facts) manifests.Time { return manifests.At(f.Now) }
