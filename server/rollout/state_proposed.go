package rollout

import (
	"fmt"
	"time"
)

// proposed waits for the word of people other than those who asked.
var proposed = state{
	actions: map[Action]func(*Rollout, Facts) error{
		Approve: approveProposed,
		Reject:  reject,
		Start:   startProposed,
		Abandon: abandon,
		Halt:    abandon,
	},
	done: []Action{Propose},
	next: func(r *Rollout, e Evidence, _ time.Time) Decision {
		return Decision{Sentence: fmt.Sprintf("proposed by %s; %d more must approve it", r.Proposer.Name, r.Missing(0, e.ApprovalShare))}
	},
}

func approveProposed(r *Rollout, f Facts) error {
	if err := approve(r, f); err != nil {
		return err
	}
	if r.Missing(0, f.ApprovalShare) == 0 {
		r.State = Approved
	}
	return nil
}

// startProposed is for those who break the glass; others are told who is
// missing.
func startProposed(r *Rollout, f Facts) error { return start(r, f) }
