package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Rollout is one rollout and everything its engine knows of it, as JSON in
// Document. State repeats the document's state for queries.
type Rollout struct {
	ID       string
	Product  manifests.Product
	Build    manifests.Build
	State    string
	Document json.RawMessage
	Version  int64 // set by the ledger: 1, then one more with each update
	Sequence int64 // set by the ledger: order of creation within the product, from 1
	Created  time.Time
	Updated  time.Time
}

// Rollouts keeps the rollouts.
type Rollouts interface {
	// AddRollout gives Version and Sequence. It is ErrExists if the ID is
	// taken, ErrNotFound if there is no such release.
	AddRollout(ctx context.Context, r Rollout, e Entry) (Rollout, error)
	// Rollout is ErrNotFound if there is none.
	Rollout(ctx context.Context, id string) (Rollout, error)
	// Rollouts gives those of a product, the newest first.
	Rollouts(ctx context.Context, product manifests.Product) ([]Rollout, error)
	// UpdateRollout writes State, Document and Updated, and gives the new
	// Version. It is ErrStale unless r.Version is the one recorded.
	UpdateRollout(ctx context.Context, r Rollout, e Entry) (Rollout, error)
}
