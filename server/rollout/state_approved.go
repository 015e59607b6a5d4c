package rollout

import "time"

// approved may be started by anybody who may start rollouts.
var approved = state{
	actions: map[Action]func(*Rollout, Facts) error{
		Approve: approve,
		Reject:  reject,
		Start:   start,
		Abandon: abandon,
		Halt:    abandon,
	},
	done: []Action{Propose},
	next: func(*Rollout, Evidence, time.Time) Decision {
		return Decision{Sentence: "approved; start it"}
	},
}
