package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"

	policy "github.com/candor-ota/candor/manifests/rollout"
)

// Over tells since when a release reaches nobody new in numbers: every rollout
// of it is complete, halted, superseded or abandoned, or the engineers withdrew
// it. Zero: it is still on its way, or was never rolled out.
func (e *Engine) Over(ctx context.Context, ref vote.Ref) (time.Time, error) {
	all, err := e.of(ctx, ref)
	if err != nil {
		return time.Time{}, err
	}
	var over time.Time
	for _, r := range all {
		switch r.State {
		case policy.Complete, policy.Halted, policy.Superseded, policy.Abandoned:
		default:
			return time.Time{}, nil
		}
		if r.Changed.After(over) {
			over = r.Changed
		}
	}
	if _, _, err := e.Live(ctx, ref); errors.Is(err, store.ErrNotFound) && over.IsZero() {
		return e.Now(), nil // withdrawn before it was rolled out
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return time.Time{}, err
	}
	return over, nil
}
