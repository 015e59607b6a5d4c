package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/lease"
	"github.com/candor-ota/candor/server/store"
)

// LeaseName is the lease of the runner, which decides alone for as long as a
// look takes; whoever lost it is stopped by the version of the rollout, which a
// decision must still find.
const LeaseName = "rollouts"

// engine is who acts when nobody does.
var engine = Person{ID: "engine", Name: "engine"}

// Tick looks at every rollout once and takes the steps that are due. One that
// fails does not keep the others waiting. It does nothing while another
// process holds the lease.
func (e *Engine) Tick(ctx context.Context) (err error) {
	if e.Observe != nil {
		var ended func(error)
		ctx, ended = e.Observe(ctx)
		defer func() { ended(err) }()
	}
	r := lease.Request{Leases: e.Ledger, Name: LeaseName, Holder: e.holder, Now: e.Now, Log: e.Log}
	err = lease.Do(ctx, r, func(ctx context.Context, _ store.Lease) error { return e.look(ctx) })
	if errors.Is(err, store.ErrConflict) || errors.Is(err, lease.ErrLost) && ctx.Err() == nil {
		return nil // somebody else is at it, or goes on
	}
	return err
}

func (e *Engine) look(ctx context.Context) error {
	var errs []error
	if e.owes.Load() { // a halt that could not be published does not wait for anybody
		products, err := e.Ledger.Products(ctx)
		if err != nil {
			return fmt.Errorf("rollouts: %w", err)
		}
		for _, p := range products {
			errs = append(errs, e.publish(ctx, p.Name))
		}
	}
	counts, err := e.Ledger.RolloutCounts(ctx)
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("rollouts: %w", err))...)
	}
	for _, product := range slices.Sorted(maps.Keys(counts)) {
		if !slices.ContainsFunc(slices.Concat(liveStates, haltedState), func(s policy.State) bool { return counts[product][string(s)] > 0 }) {
			continue
		}
		if err := e.lookAt(ctx, product); err != nil {
			errs = append(errs, err)
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	return errors.Join(errs...)
}

// lookAt takes the steps that are due for the rollouts of a product.
func (e *Engine) lookAt(ctx context.Context, product manifests.Product) error {
	all, err := e.among(ctx, product, liveStates, haltedState)
	if err != nil {
		return err
	}
	var errs []error
	for i := range all {
		if !all[i].Live() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := e.step(ctx, &all[i]); err != nil && ctx.Err() == nil {
			errs = append(errs, fmt.Errorf("rollout %s: %w", all[i].ID, err))
		}
	}
	return errors.Join(append(errs, e.shown(ctx, all))...)
}

// shown looks at what people may see of each rollout that was started, whether
// or not anybody does: the history of what is shown has no holes then.
func (e *Engine) shown(ctx context.Context, all []Rollout) error {
	var errs []error
	for i := range all {
		r := &all[i]
		if r.State == policy.Scheduled {
			continue
		}
		_, err := e.Votes.Shown(ctx, vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build}, e.Grace)
		if err != nil && !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
			errs = append(errs, fmt.Errorf("votes on rollout %s: %w", r.ID, err))
		}
	}
	return errors.Join(errs...)
}

// step takes the step that is due for one rollout, if there is one.
func (e *Engine) step(ctx context.Context, r *Rollout) error {
	known, err := e.evidence(ctx, r)
	if err != nil {
		return err
	}
	now := e.Now()
	d := Next(r, known, now)
	if d.Action == "" {
		return nil
	}
	next := r.Decided(d, now)
	if !r.Live() || d.Action == Start {
		if err := e.checkStart(ctx, r); err != nil {
			return err
		}
	}
	numbers := detail(r, &next, d.Action, e.masked(r, known), now)
	numbers["because"] = d.Sentence
	if _, err := e.save(ctx, next, record{what: "rollout." + string(d.Action), by: engine, why: clip(d.Reason), detail: numbers}); err != nil {
		return err
	}
	e.Log.Info("rollout decided", "rollout", r.ID, "action", d.Action, "why", d.Reason, "state", next.State, "stage", next.Stage)
	return e.publish(ctx, r.Plan.Product)
}

// Decided gives the rollout after a decision.
func (r *Rollout) Decided(d Decision, now time.Time) Rollout {
	next := *r
	switch d.Action {
	case Start:
		enter(&next, 0, now)
	case Halt:
		next.State, next.HaltedAt = policy.Halted, manifests.At(now)
	case Advance:
		if r.Stage == r.last() {
			next.State = policy.Complete
		} else {
			enter(&next, r.Stage+1, now)
		}
	}
	next.Reason = clip(d.Reason)
	return next
}

// clip keeps a reason within what a document carries.
func clip(s string) string {
	for len(s) > maxReason || !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// Run ticks until ctx ends; each failure is logged and tried again.
func (e *Engine) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := e.Tick(ctx); err != nil && ctx.Err() == nil {
			e.Log.Error("rollouts could not all be looked at; they are looked at again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// evidence gathers all that is known about a rollout now.
func (e *Engine) evidence(ctx context.Context, r *Rollout) (Evidence, error) {
	return e.reading(ctx, r, e.Votes.Evidence)
}

// reading is gather for one rollout alone.
func (e *Engine) reading(ctx context.Context, r *Rollout, count counter) (Evidence, error) {
	below, err := e.below(ctx, r)
	if err != nil {
		return Evidence{ApprovalShare: e.ApprovalShare}, err
	}
	return e.gather(ctx, r, below, count)
}

// belowPages are how many rollouts of lower builds are looked through for the
// release before: it is nearly always the first; 0 is all.
var belowPages = []int{2, 64, 0}

// below gives rollouts of lower builds, the newest build first: as many as it
// takes to find the release before.
func (e *Engine) below(ctx context.Context, r *Rollout) ([]Rollout, error) {
	states := []string{string(policy.Complete), string(policy.Superseded)}
	for i := 0; ; i++ {
		limit := belowPages[i]
		rows, err := e.Ledger.RolloutsBelow(ctx, vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build}, states, limit)
		if err != nil {
			return nil, err
		}
		list, err := readAll(rows)
		if err != nil || limit == 0 || len(list) < limit || forerunner(r, list) != nil {
			return list, err
		}
	}
}

// Grace is how long an attempt may go without an outcome under a plan: as long
// as it says, or the service's own time, and a day more where handsets report
// the attempt and then wait for a window.
func Grace(p *policy.Plan, own time.Duration) time.Duration {
	switch {
	case p.Guard.Grace.Duration != 0:
		return p.Guard.Grace.Duration
	case p.Window != nil:
		return own + 24*time.Hour
	}
	return own
}

type counter func(context.Context, vote.Ref, time.Duration) (verdict.Counts, error)

func (e *Engine) gather(ctx context.Context, r *Rollout, all []Rollout, count counter) (Evidence, error) {
	out := Evidence{ApprovalShare: e.ApprovalShare}
	ref := vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build}
	release, reference, err := e.Live(ctx, ref)
	if err == nil && reference == r.Release {
		out.Release = release
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return out, err
	}
	if out.Votes.Counts, err = count(ctx, ref, Grace(&r.Plan, e.Grace)); err != nil && !errors.Is(err, store.ErrNotFound) {
		return out, err // a release that draws no votes has none
	}
	if out.Votes.Lab, err = e.Votes.LabFailures(ctx, ref); err != nil {
		return out, err
	}
	out.Before = forerunner(r, all)
	out.Votes.Before, err = e.before(ctx, out.Before, count)
	return out, err
}

// forerunner gives the rollout of the release before: the highest lower build
// that went all the way on the same channel; nil if there is none. all are
// sorted by build, the newest first.
func forerunner(r *Rollout, all []Rollout) *Rollout {
	for i := range all {
		o := &all[i]
		if o.Plan.Build < r.Plan.Build && (r.Plan.Channel == "" || o.Plan.Channel == r.Plan.Channel) &&
			(o.State == policy.Complete || o.State == policy.Superseded) {
			return o
		}
	}
	return nil
}

// before gives the counts of the release before.
func (e *Engine) before(ctx context.Context, o *Rollout, count counter) (*verdict.Counts, error) {
	if o == nil {
		return nil, nil
	}
	c, err := count(ctx, vote.Ref{Product: o.Plan.Product, Build: o.Plan.Build}, Grace(&o.Plan, e.Grace))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &c, err
}

// Look gives a rollout with what the engine would do about it now, judged by
// the votes that may be shown.
func (e *Engine) Look(ctx context.Context, id manifests.Name) (Rollout, Evidence, Decision, error) {
	r, err := e.Get(ctx, id)
	if err != nil {
		return r, Evidence{}, Decision{}, err
	}
	known, d, err := e.See(ctx, &r)
	return r, known, d, err
}

// Glance is See without the votes, for a state that rests on none, such as
// halted.
func (e *Engine) Glance(ctx context.Context, r *Rollout) (Evidence, Decision, error) {
	known := Evidence{ApprovalShare: e.ApprovalShare}
	release, reference, err := e.Live(ctx, vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build})
	if err == nil && reference == r.Release {
		known.Release = release
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return known, Next(r, known, e.Now()), err
}

// See is Look for a rollout that was read just now.
func (e *Engine) See(ctx context.Context, r *Rollout) (Evidence, Decision, error) {
	known, err := e.looking(ctx, r)
	return known, Next(r, known, e.Now()), err
}
