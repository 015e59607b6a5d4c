package rollout

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

// Restored gives a rollout of the ledger as it is after a backup was restored,
// which has forgotten what people and engine decided since. What handsets
// could install waits until somebody resumes it; what was published as halted
// since stays halted. published is nil if nobody knows what handsets see.
func Restored(document []byte, published *policy.Rollout, reason string, now time.Time) (policy.State, []byte, error) {
	var r Rollout
	if err := json.Unmarshal(document, &r); err != nil {
		return "", nil, fmt.Errorf("rollout in the backup: %w", err)
	}
	before := r.State
	switch {
	case !r.Live():
	case published != nil && published.State == policy.Halted:
		r.State, r.HaltedAt, r.Resume, r.Reason = policy.Halted, manifests.At(now), nil, published.Reason
	case r.State == policy.Scheduled: // would begin by itself
		r.State = Approved
	case r.State == policy.Active || r.State == policy.Complete:
		r.State = policy.Held
	}
	if r.State != before && r.Reason == "" || r.State == policy.Held && before != policy.Held {
		r.Reason = reason
	}
	out, err := json.Marshal(&r)
	return r.State, out, err
}
