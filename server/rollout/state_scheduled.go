package rollout

import (
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
)

// scheduled is published, and begins by itself when its time comes.
var scheduled = state{
	actions: map[Action]func(*Rollout, Facts) error{
		Approve: approve,
		Halt:    halt,
	},
	done: []Action{Propose, Start},
	next: nextScheduled,
}

func nextScheduled(r *Rollout, e Evidence, now time.Time) Decision {
	waits := r.clockWait(now)
	if r.Plan.Start != nil && now.Before(r.Plan.Start.Time) {
		waits = append(waits, Wait{Code: api.CodeScheduled, Until: r.Plan.Start.Time, Sentence: "it begins at " + r.Plan.Start.String()})
	}
	waits = append(waits, r.enterWaits(0, e, now)...)
	d := Decision{Waits: waits}
	if len(waits) == 0 {
		d.Action, d.Reason = Start, "its time has come: "+manifests.At(now).String()
	}
	d.Sentence = sentence(d.Verdict, waits, now, "stage 1")
	return d
}
