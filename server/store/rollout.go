package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
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

// RolloutQuery picks rollouts.
type RolloutQuery struct {
	Products []manifests.Product // empty: all
	Channel  manifests.Name      // of the plan; empty: all
	Build    manifests.Build     // 0: all
	States   []string            // empty: all
	// Search leaves those whose ID, build, or version of the release begins so,
	// whatever the case; empty: all.
	Search string
	Before RolloutMark // only older ones; zero: all
	Limit  int         // 0: all
}

// RolloutMark is the place of a rollout among all: by when it was created, in
// whole seconds, then by its ID. It stays the same whatever is created later.
type RolloutMark struct {
	Created time.Time
	ID      string
}

// Mark gives the place of a rollout.
func (r Rollout) Mark() RolloutMark { return RolloutMark{r.Created, r.ID} }

// RolloutPages looks rollouts up without reading all of them.
type RolloutPages interface {
	// RolloutPage gives those of a query, the newest first.
	RolloutPage(ctx context.Context, q RolloutQuery) ([]Rollout, error)
	// RolloutsBelow gives those of lower builds of a product in the states
	// given, the highest build first, then the newest; at most limit.
	RolloutsBelow(ctx context.Context, ref vote.Ref, states []string, limit int) ([]Rollout, error)
	// RolloutCounts gives how many there are, by product and state.
	RolloutCounts(ctx context.Context) (map[manifests.Product]map[string]int, error)
}
