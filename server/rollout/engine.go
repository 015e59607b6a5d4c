package rollout

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Ledger is the part of the ledger that is needed here.
type Ledger interface {
	store.Rollouts
	Products(ctx context.Context) ([]store.Product, error)
}

// Options of an Engine. All are needed.
type Options struct {
	Ledger Ledger
	Now    func() time.Time
	// Live gives a signed, published release; store.ErrNotFound if none.
	Live func(context.Context, vote.Ref) (*manifests.Release, policy.Reference, error)
	// Trials counts the votes of class trial.
	Trials func(context.Context, vote.Ref) (int64, error)
	// Publish brings the published tree up to date with the ledger.
	Publish func(context.Context) error
}

// Engine keeps the rollouts. It is safe for concurrent use.
type Engine struct{ Options }

// New makes an Engine.
func New(o Options) *Engine { return &Engine{o} }

// Create records a draft.
func (e *Engine) Create(ctx context.Context, by string, plan *policy.Plan) (Rollout, error) {
	ref := vote.Ref{Product: plan.Product, Build: plan.Build}
	release, reference, err := e.Live(ctx, ref)
	if err != nil {
		return Rollout{}, fmt.Errorf("create rollout: %w", err)
	}
	if err := plan.CheckAgainst(release); err != nil {
		return Rollout{}, refuse(api.CodeBadRequest, "%v", err)
	}
	now := e.Now().UTC().Truncate(time.Second)
	id := manifests.Name(plan.Build.String() + "-" + strings.ToLower(rand.Text()[:8]))
	r := Rollout{ID: id, Plan: *plan, Release: reference, State: Draft, Created: now, Changed: now}
	row, err := r.row()
	if err != nil {
		return Rollout{}, err
	}
	entry := store.Entry{At: now, Who: by, What: "rollout.create", Subject: string(id), Detail: row.Document}
	if row, err = e.Ledger.AddRollout(ctx, row, entry); err != nil {
		return Rollout{}, fmt.Errorf("create rollout: %w", err)
	}
	return read(row)
}

// Change is one action on one rollout.
type Change struct {
	ID      manifests.Name
	Action  Action
	By      string
	Reason  string
	IfMatch int64 // the version that was looked at; 0: whichever
}

// Change makes a change and publishes it. With ErrUnpublished the rollout is
// changed all the same.
func (e *Engine) Change(ctx context.Context, c Change) (Rollout, error) {
	r, err := e.Get(ctx, c.ID)
	if err != nil {
		return Rollout{}, err
	}
	if c.IfMatch != 0 && c.IfMatch != r.Version {
		return Rollout{}, refuse(api.CodeStale, "the rollout is at version %d, not %d; look again", r.Version, c.IfMatch)
	}
	f, err := e.facts(ctx, &r, c)
	if err != nil {
		return Rollout{}, err
	}
	next, err := r.Apply(c.Action, f)
	if err != nil {
		return Rollout{}, err
	}
	if c.Action == Start {
		if err := e.checkStart(ctx, &r); err != nil {
			return Rollout{}, err
		}
	}
	if !reflect.DeepEqual(next, r) {
		if r, err = e.save(ctx, next, "rollout."+string(c.Action), c.By); err != nil {
			return Rollout{}, err
		}
	}
	err = e.settle(ctx, r.Plan.Product)
	if err == nil {
		err = e.Publish(ctx)
	}
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrUnpublished, err)
	}
	return r, nil
}

func (e *Engine) facts(ctx context.Context, r *Rollout, c Change) (Facts, error) {
	f := Facts{Now: e.Now(), By: c.By, Reason: c.Reason}
	if c.Action == Halt || c.Action == Pause { // must work whatever else is broken
		return f, nil
	}
	ref := vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build}
	release, reference, err := e.Live(ctx, ref)
	if err == nil && reference == r.Release {
		f.Release = release
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return f, err
	}
	f.Trials, err = e.Trials(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		err = nil // a release without vote keys
	}
	return f, err
}

// maxDocument is how many rollouts a document holds.
const maxDocument = 64

// checkStart refuses a start that others stand against.
func (e *Engine) checkStart(ctx context.Context, r *Rollout) error {
	all, err := e.list(ctx, r.Plan.Product)
	if err != nil {
		return err
	}
	shown := 0
	for i := range all {
		o := &all[i]
		if o.Live() || o.State == policy.Halted {
			shown++
		}
		if o.ID == r.ID || !sameHandsets(o, r) {
			continue
		}
		switch {
		case o.Live() && o.Plan.Build >= r.Plan.Build:
			return refuse(api.CodeConflict, "rollout %s offers build %d to the same handsets already", o.ID, o.Plan.Build)
		case o.State == policy.Halted && o.Plan.Build == r.Plan.Build:
			return refuse(api.CodeConflict, "build %d was halted for these handsets (%s); a fix is a new build", o.Plan.Build, o.Reason)
		}
	}
	if shown >= maxDocument {
		return refuse(api.CodeConflict, "%d rollouts are published; have halted builds withdrawn first", shown)
	}
	return nil
}

func sameHandsets(a, b *Rollout) bool {
	return a.Plan.Channel == b.Plan.Channel && reflect.DeepEqual(a.Plan.Audience, b.Plan.Audience)
}

func (e *Engine) save(ctx context.Context, r Rollout, what, by string) (Rollout, error) {
	r.Changed = e.Now().UTC().Truncate(time.Second)
	row, err := r.row()
	if err != nil {
		return Rollout{}, err
	}
	detail, err := json.Marshal(map[string]any{"state": r.State, "stage": r.Stage, "agreed": r.Agreed})
	if err != nil {
		return Rollout{}, err
	}
	entry := store.Entry{At: r.Changed, Who: by, What: what, Subject: string(r.ID), Why: r.Reason, Detail: detail}
	row, err = e.Ledger.UpdateRollout(ctx, row, entry)
	if errors.Is(err, store.ErrStale) {
		return Rollout{}, refuse(api.CodeStale, "somebody else changed the rollout meanwhile; look again")
	}
	if err != nil {
		return Rollout{}, fmt.Errorf("change rollout: %w", err)
	}
	return read(row)
}

func (r *Rollout) row() (store.Rollout, error) {
	document, err := json.Marshal(r)
	if err != nil {
		return store.Rollout{}, fmt.Errorf("rollout %s: %w", r.ID, err)
	}
	return store.Rollout{
		ID: string(r.ID), Product: r.Plan.Product, Build: r.Plan.Build, State: string(r.State), Document: document,
		Version: r.Version, Sequence: r.Sequence, Created: r.Created, Updated: r.Changed,
	}, nil
}

func read(row store.Rollout) (Rollout, error) {
	var r Rollout
	if err := json.Unmarshal(row.Document, &r); err != nil {
		return r, fmt.Errorf("rollout %s in the ledger: %w", row.ID, err)
	}
	if len(r.Plan.Stages) <= r.Stage {
		return r, fmt.Errorf("rollout %s in the ledger: has no stage %d", row.ID, r.Stage)
	}
	r.ID, r.Version, r.Sequence, r.Created, r.Changed = manifests.Name(row.ID), row.Version, row.Sequence, row.Created, row.Updated
	return r, nil
}
