package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Get gives a rollout, or store.ErrNotFound.
func (e *Engine) Get(ctx context.Context, id manifests.Name) (Rollout, error) {
	row, err := e.Ledger.Rollout(ctx, string(id))
	if err != nil {
		return Rollout{}, fmt.Errorf("get rollout: %w", err)
	}
	return read(row)
}

// List gives the rollouts of a product, or of all, the newest build first.
func (e *Engine) List(ctx context.Context, product manifests.Product) ([]Rollout, error) {
	if product != "" {
		return e.list(ctx, product)
	}
	products, err := e.Ledger.Products(ctx)
	if err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	var out []Rollout
	for _, p := range products {
		list, err := e.list(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(a, b Rollout) int { return b.Created.Compare(a.Created) })
	return out, nil
}

// Page gives the rollouts of a query, the newest first.
func (e *Engine) Page(ctx context.Context, q store.RolloutQuery) ([]Rollout, error) {
	rows, err := e.Ledger.RolloutPage(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	return readAll(rows)
}

func readAll(rows []store.Rollout) ([]Rollout, error) {
	out := make([]Rollout, 0, len(rows))
	for _, row := range rows {
		r, err := read(row)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (e *Engine) list(ctx context.Context, product manifests.Product) ([]Rollout, error) {
	rows, err := e.Ledger.Rollouts(ctx, product)
	if err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	return byBuild(rows)
}

// byBuild reads rollouts and puts the newest build first.
func byBuild(rows []store.Rollout) ([]Rollout, error) {
	out, err := readAll(rows)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b Rollout) int {
		return cmp.Or(cmp.Compare(b.Plan.Build, a.Plan.Build), cmp.Compare(b.Sequence, a.Sequence))
	})
	return out, nil
}

// among gives the rollouts of a product in some states, the newest build first.
func (e *Engine) among(ctx context.Context, product manifests.Product, states ...[]policy.State) ([]Rollout, error) {
	q := store.RolloutQuery{Products: []manifests.Product{product}}
	for _, s := range slices.Concat(states...) {
		q.States = append(q.States, string(s))
	}
	return e.query(ctx, q)
}

// of gives the rollouts of a release.
func (e *Engine) of(ctx context.Context, ref vote.Ref) ([]Rollout, error) {
	return e.query(ctx, store.RolloutQuery{Products: []manifests.Product{ref.Product}, Build: ref.Build})
}

func (e *Engine) query(ctx context.Context, q store.RolloutQuery) ([]Rollout, error) {
	rows, err := e.Ledger.RolloutPage(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	return byBuild(rows)
}

// Rollouts gives what the document of a product holds, newest first: every
// rollout that is live or halted and whose release is signed.
func (e *Engine) Rollouts(ctx context.Context, product manifests.Product, signed map[manifests.Build]policy.Reference) ([]policy.Rollout, error) {
	all, err := e.among(ctx, product, liveStates, haltedState)
	if err != nil {
		return nil, err
	}
	out := []policy.Rollout{}
	for i := range all {
		r := &all[i]
		if signed[r.Plan.Build] != r.Release {
			continue
		}
		out = append(out, policy.Rollout{
			ID: r.ID, Release: r.Release, Build: r.Plan.Build, Channel: r.Plan.Channel, Audience: r.Plan.Audience,
			State: r.State, Stage: r.Stage, Share: r.Share(), Kind: r.Plan.Kind, Deadline: r.Plan.Deadline,
			Deferral: r.Plan.Deferral, Window: r.Plan.Window, Spread: r.Plan.Spread, Reason: r.Reason,
		})
	}
	return out, nil
}

// Settle ends what others have ended: rollouts of withdrawn builds are
// abandoned, older ones superseded. It runs after each submission and at start;
// again changes nothing.
func (e *Engine) Settle(ctx context.Context) error {
	products, err := e.Ledger.Products(ctx)
	if err != nil {
		return fmt.Errorf("settle rollouts: %w", err)
	}
	for _, p := range products {
		if err := e.settle(ctx, p.Name); err != nil {
			return fmt.Errorf("settle rollouts of %s: %w", p.Name, err)
		}
	}
	return nil
}

// settle looks again whenever somebody else changed a rollout meanwhile.
func (e *Engine) settle(ctx context.Context, product manifests.Product) error {
	const tries = 10
	for i := 1; ; i++ {
		err := e.settleOnce(ctx, product)
		if r := (*Refusal)(nil); !errors.As(err, &r) || r.Code != api.CodeStale || i == tries {
			return err
		}
	}
}

func (e *Engine) settleOnce(ctx context.Context, product manifests.Product) error {
	all, err := e.among(ctx, product, liveStates, unstartedStates)
	if err != nil {
		return err
	}
	for i := range all {
		r := all[i]
		state, err := e.ended(ctx, &r, all[:i])
		if err != nil {
			return err
		}
		if state == "" {
			continue
		}
		if state == policy.Abandoned {
			r.Reason = "the engineers withdrew the build"
		}
		r.State = state
		if _, err := e.save(ctx, r, record{what: "rollout." + string(state), by: engine, why: r.Reason, detail: map[string]any{"state": state}}); err != nil {
			return err
		}
	}
	return nil
}

// ended tells what became of a rollout without anybody's touching it; newer
// are those of higher builds that are live.
func (e *Engine) ended(ctx context.Context, r *Rollout, newer []Rollout) (policy.State, error) {
	_, reference, err := e.Live(ctx, vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build})
	if errors.Is(err, store.ErrNotFound) || err == nil && reference != r.Release {
		return policy.Abandoned, nil
	}
	if err != nil || !r.Live() {
		return "", err
	}
	for i := range newer {
		n := &newer[i]
		if n.Plan.Build <= r.Plan.Build || !sameHandsets(n, r) {
			continue
		}
		if n.State == policy.Complete || (n.State == policy.Active || n.State == policy.Held) && r.State != policy.Complete {
			return policy.Superseded, nil
		}
	}
	return "", nil
}

// FirstStage tells whether no rollout of a release has left its first stage.
func (e *Engine) FirstStage(ctx context.Context, ref vote.Ref) (bool, error) {
	all, err := e.of(ctx, ref)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(all, func(r Rollout) bool { return r.Stage > 0 || r.State == policy.Complete }), nil
}
