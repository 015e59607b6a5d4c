package observe

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// RolloutPage is measured.
func (m *Ledger) RolloutPage(ctx context.Context, q store.RolloutQuery) (out []store.Rollout, err error) {
	ctx, op := m.operations["RolloutPage"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.RolloutPage(ctx, q)
}

// RolloutsBelow is measured.
func (m *Ledger) RolloutsBelow(ctx context.Context, ref vote.Ref, states []string, limit int) (out []store.Rollout, err error) {
	ctx, op := m.operations["RolloutsBelow"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.RolloutsBelow(ctx, ref, states, limit)
}

// RolloutCounts is measured.
func (m *Ledger) RolloutCounts(ctx context.Context) (out map[manifests.Product]map[string]int, err error) {
	ctx, op := m.operations["RolloutCounts"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.RolloutCounts(ctx)
}

// NewestReleases is measured.
func (m *Ledger) NewestReleases(ctx context.Context, product manifests.Product, limit int) (out []store.Release, err error) {
	ctx, op := m.operations["NewestReleases"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.NewestReleases(ctx, product, limit)
}

// ReleaseBelow is measured.
func (m *Ledger) ReleaseBelow(ctx context.Context, ref vote.Ref) (out store.Release, err error) {
	ctx, op := m.operations["ReleaseBelow"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.ReleaseBelow(ctx, ref)
}

// ShownSince is measured.
func (m *Ledger) ShownSince(ctx context.Context, ref vote.Ref, since time.Time) (out []store.ShownAt, err error) {
	ctx, op := m.operations["ShownSince"].begin(ctx)
	defer op.end(&err)
	return m.Ledger.ShownSince(ctx, ref, since)
}
