package rollout

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

// halted is a signed tombstone: no handset installs the build. A fix is a new
// build. Only if two people find that the halt was wrong does it go on.
var halted = state{
	actions: map[Action]func(*Rollout, Facts) error{
		Resume:  resumeHalted,
		Approve: approveResume,
		Reject:  rejectResume,
	},
	done: []Action{Halt, Propose},
	next: func(r *Rollout, _ Evidence, _ time.Time) Decision {
		if r.Resume != nil {
			return Decision{Sentence: fmt.Sprintf("halted: %s; %s wants to resume it, somebody else has to approve that", r.Reason, r.Resume.Name)}
		}
		return Decision{Sentence: "halted: " + r.Reason}
	},
}

// resumeHalted takes the word of two people. Only what is counted from then on
// is judged, or the same votes would halt it again.
func resumeHalted(r *Rollout, f Facts) error {
	waits := append(r.clockWait(f.Now), r.signedWaits(r.Stage, f.Evidence, f.Now)...)
	if err := blocked(waits); err != nil {
		return err
	}
	switch {
	case f.BreakGlass:
	case r.Resume == nil:
		if f.Reason == "" {
			return refuse(api.CodeConflict, "nobody has asked to resume it")
		}
		r.Resume = &Approval{Person: f.By, At: at(f), Why: f.Reason, UpTo: r.Stage}
		return nil
	case r.Resume.ID == f.By.ID:
		return refuse(api.CodeOwnRequest, "%s asked for it; somebody else has to approve it", f.By.Name)
	}
	counts := f.Votes.Counts
	r.State, r.StageSince, r.Resumed, r.Acquitted, r.Resume = policy.Active, at(f), at(f), &counts, nil
	return nil
}

// approveResume is for a wish that is there. Who approves a stage that is halted
// just then must not find to have asked for its resumption.
func approveResume(r *Rollout, f Facts) error {
	if r.Resume == nil {
		return refuse(api.CodeConflict, "it is halted, and nobody has asked to resume it")
	}
	return resumeHalted(r, f)
}

func rejectResume(r *Rollout, _ Facts) error {
	if r.Resume == nil {
		return refuse(api.CodeConflict, "nobody has asked to resume it")
	}
	r.Resume = nil
	return nil
}
