package rollout

import "time"

// complete is open to everybody it is for and stays so, for who comes late; a
// build that fails later is still halted.
var complete = state{
	actions: map[Action]func(*Rollout, Facts) error{Halt: halt},
	done:    []Action{Propose, Start, Advance},
	next:    func(r *Rollout, e Evidence, _ time.Time) Decision { return watch(r, e, "complete") },
}
