package rollout

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Ledger is the part of the ledger that is needed here.
type Ledger interface {
	store.Rollouts
	store.RolloutPages
	store.Leases
	Products(ctx context.Context) ([]store.Product, error)
	Append(ctx context.Context, e store.Entry) (store.Entry, error)
	Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error)
}

// Votes reads what was counted about a release; store.ErrNotFound if nothing
// ever is.
type Votes interface {
	// Evidence gives the exact counts. Attempts are due after the grace time.
	Evidence(ctx context.Context, ref vote.Ref, grace time.Duration) (verdict.Counts, error)
	// Shown gives the counts that people may see, which lag and leave small
	// parts out.
	Shown(ctx context.Context, ref vote.Ref, grace time.Duration) (verdict.Counts, error)
	// Masked leaves out of exact counts what is too small to be shown.
	Masked(c verdict.Counts) verdict.Counts
	// LabFailures gives what lab handsets that are not muted reported.
	LabFailures(ctx context.Context, ref vote.Ref) ([]verdict.LabFailure, error)
}

// DefaultApprovalShare is the share above which two people must agree, in
// parts per million.
const DefaultApprovalShare manifests.SharePPM = 100_000

// Options of an Engine. All but the last three are needed.
type Options struct {
	Ledger Ledger
	Now    func() time.Time
	// Live gives a signed, published release; store.ErrNotFound if none.
	Live  func(context.Context, vote.Ref) (*manifests.Release, policy.Reference, error)
	Votes Votes
	// Grace is how long an attempt may go without an outcome, where a plan does
	// not say it.
	Grace time.Duration
	// Publish brings the published tree up to date with the ledger.
	Publish func(context.Context) error
	// ApprovalShare is the greatest share that one person may open;
	// DefaultApprovalShare if 0.
	ApprovalShare manifests.SharePPM
	Log           *slog.Logger // nil is slog.Default
	// Observe is told when a look at all rollouts begins, and by its function
	// how it ended; nil is nobody. The context that it gives is that of the look.
	Observe func(ctx context.Context) (context.Context, func(error))
}

// Engine keeps the rollouts. It is safe for concurrent use.
type Engine struct {
	Options
	holder string      // in leases
	owes   atomic.Bool // a change is recorded and not published
}

// New makes an Engine.
func New(o Options) *Engine {
	if o.ApprovalShare == 0 {
		o.ApprovalShare = DefaultApprovalShare
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Engine{Options: o, holder: rand.Text()}
}

// Create records a draft.
func (e *Engine) Create(ctx context.Context, by Person, plan *policy.Plan) (Rollout, error) {
	return e.CreateOnce(ctx, manifests.SHA256{}, by, plan)
}

// CreateOnce is Create for a request that may be repeated: the draft that was
// made for its key is given again. The zero key is none.
func (e *Engine) CreateOnce(ctx context.Context, key manifests.SHA256, by Person, plan *policy.Plan) (Rollout, error) {
	if !key.IsZero() {
		all, err := e.of(ctx, vote.Ref{Product: plan.Product, Build: plan.Build})
		if err != nil {
			return Rollout{}, err
		}
		if i := slices.IndexFunc(all, func(r Rollout) bool { return r.made(key) }); i >= 0 {
			return all[i], nil
		}
	}
	reference, err := e.check(ctx, plan)
	if err != nil {
		return Rollout{}, fmt.Errorf("create rollout: %w", err)
	}
	now := e.Now().UTC().Truncate(time.Second)
	id := manifests.Name(plan.Build.String() + "-" + strings.ToLower(rand.Text()[:8]))
	r := Rollout{ID: id, Plan: *plan, Release: reference, State: Draft, Author: by, Created: now, Changed: now}
	r.note(key, now)
	row, err := r.row()
	if err != nil {
		return Rollout{}, err
	}
	entry := store.Entry{At: now, Who: by.Name, What: "rollout.create", Subject: string(id), Detail: row.Document}
	if row, err = e.Ledger.AddRollout(ctx, row, entry); err != nil {
		return Rollout{}, fmt.Errorf("create rollout: %w", err)
	}
	return read(row)
}

// Edit writes another plan into a draft; its author is then who edited it.
func (e *Engine) Edit(ctx context.Context, id manifests.Name, ifMatch int64, by Person, plan *policy.Plan) (Rollout, error) {
	r, err := e.Get(ctx, id)
	if err != nil {
		return Rollout{}, err
	}
	switch {
	case ifMatch != 0 && ifMatch != r.Version:
		return Rollout{}, stale(&r, ifMatch)
	case r.State != Draft:
		return Rollout{}, refuse(api.CodeConflict, "the rollout is %s; only a draft can be edited. Reject it first, or make a new one", r.State)
	case plan.Product != r.Plan.Product || plan.Build != r.Plan.Build:
		return Rollout{}, refuse(api.CodeConflict, "the draft is for build %d of %s; make a new one for another build", r.Plan.Build, r.Plan.Product)
	}
	if r.Release, err = e.check(ctx, plan); err != nil {
		return Rollout{}, fmt.Errorf("edit rollout: %w", err)
	}
	r.Plan, r.Author = *plan, by
	return e.save(ctx, r, record{what: "rollout.edit", by: by, detail: map[string]any{"plan": plan}})
}

// check holds a plan against the release that it opens.
func (e *Engine) check(ctx context.Context, plan *policy.Plan) (policy.Reference, error) {
	release, reference, err := e.Live(ctx, vote.Ref{Product: plan.Product, Build: plan.Build})
	if errors.Is(err, store.ErrNotFound) {
		return reference, unsigned(plan.Product, plan.Build)
	}
	if err != nil {
		return reference, err
	}
	if err := plan.CheckAgainst(release); err != nil {
		return reference, err // names the field
	}
	opens := e.Now()
	if plan.Start != nil && plan.Start.After(opens) {
		opens = plan.Start.Time
	}
	first := plan.Stages[0].Share
	if from, _ := PaceReaches(release, first); plan.Start != nil && from.After(opens) {
		return reference, refuse(api.CodePace, "the plan starts at %s with %s; the engineers signed a pace that reaches it from %s on", manifests.At(opens), first, manifests.At(from))
	}
	return reference, nil
}

func unsigned(product manifests.Product, build manifests.Build) error {
	return refuse(api.CodeNotFound, "the engineers of %s sign no build %d; publish its release first (`candor-signer event publish`)", product, build)
}

// Change is one action of a person on one rollout.
type Change struct {
	ID         manifests.Name
	Action     Action
	By         Person
	Reason     string
	IfMatch    int64 // the version that was looked at; 0: whichever
	UpTo       *int  // of an approval: the last stage, counted from 0
	BreakGlass bool  // the caller has made sure that By may
	// Key is of a request that may be repeated: the change is made once, also
	// if its answer was lost in a crash. Zero: none.
	Key manifests.SHA256
}

// Change makes a change and publishes it. With ErrUnpublished the rollout is
// changed all the same.
func (e *Engine) Change(ctx context.Context, c Change) (Rollout, error) {
	r, err := e.Get(ctx, c.ID)
	if err != nil {
		return Rollout{}, err
	}
	if r.made(c.Key) {
		return r, e.publish(ctx, r.Plan.Product)
	}
	if c.IfMatch != 0 && c.IfMatch != r.Version {
		return Rollout{}, stale(&r, c.IfMatch)
	}
	if c.Action == Note {
		return r, e.note(ctx, &r, c)
	}
	f, err := e.facts(ctx, &r, c)
	if err != nil {
		return Rollout{}, err
	}
	seen, err := e.seen(ctx, &r, c.Action)
	if err != nil {
		return Rollout{}, err
	}
	next, err := r.Apply(c.Action, f)
	if err != nil {
		return Rollout{}, told(&r, c.Action, f, seen, err)
	}
	if !r.Live() && next.Live() {
		if err := e.checkStart(ctx, &r); err != nil {
			return Rollout{}, err
		}
	}
	if !reflect.DeepEqual(next, r) {
		next.note(c.Key, f.Now)
		what := "rollout." + string(c.Action)
		if c.BreakGlass {
			what = "rollout.break-glass"
			e.Log.Error("an admin went past the rules of a rollout", "rollout", r.ID, "action", c.Action, "see", "the audit log")
		}
		if r, err = e.save(ctx, next, record{what: what, by: c.By, why: c.Reason, detail: detail(&r, &next, c.Action, recorded(&r, f.Evidence, seen), f.Now)}); err != nil {
			return Rollout{}, err
		}
	}
	return r, e.publish(ctx, r.Plan.Product)
}

func stale(r *Rollout, looked int64) error {
	return refuse(api.CodeStale, "the rollout is at version %d, not %d; look again", r.Version, looked)
}

// publish brings others and the tree to where a change leads.
func (e *Engine) publish(ctx context.Context, product manifests.Product) error {
	e.owes.Store(true)
	err := e.settle(ctx, product)
	if err == nil {
		err = e.Publish(ctx)
	}
	if err != nil { // its kind is not what the change is answered with: that is made
		return fmt.Errorf("%w: %s", ErrUnpublished, err.Error())
	}
	e.owes.Store(false)
	return nil
}

func (e *Engine) facts(ctx context.Context, r *Rollout, c Change) (Facts, error) {
	f := Facts{Now: e.Now(), By: c.By, Reason: c.Reason, UpTo: c.UpTo, BreakGlass: c.BreakGlass, Evidence: Evidence{ApprovalShare: e.ApprovalShare}}
	evidence, err := e.evidence(ctx, r)
	switch {
	case c.Action == Halt || c.Action == Pause: // must work whatever else is broken
		if err == nil {
			f.Evidence = evidence
		}
		return f, nil
	case err != nil:
		return f, err
	}
	f.Evidence = evidence
	return f, nil
}

// detail is what the audit log keeps of a change: where it led, and the
// numbers that were known.
func detail(old, next *Rollout, a Action, known Evidence, now time.Time) map[string]any {
	d := map[string]any{"action": a, "state": next.State, "stage": next.Stage, "sharePPM": next.Share(), "product": next.Plan.Product, "build": next.Plan.Build}
	if !old.Unstarted() {
		d["verdict"], d["evidence"], d["rules"], d["judgedAt"] = old.Judge(known), old.Judged(known), old.Rules(known), manifests.At(now)
	}
	if people := next.People(next.Stage); len(people) > 0 {
		d["people"] = people
	}
	return d
}

// maxDocument is how many rollouts a document holds.
const maxDocument = 64

// checkStart refuses a start that others stand against.
func (e *Engine) checkStart(ctx context.Context, r *Rollout) error {
	live, err := e.among(ctx, r.Plan.Product, liveStates)
	if err != nil {
		return err
	}
	for i := range live {
		if o := &live[i]; o.ID != r.ID && sameHandsets(o, r) && o.Plan.Build >= r.Plan.Build {
			return refuse(api.CodeConflict, "rollout %s offers build %d to the same handsets already", o.ID, o.Plan.Build)
		}
	}
	same, err := e.of(ctx, vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build})
	if err != nil {
		return err
	}
	for i := range same {
		if o := &same[i]; o.ID != r.ID && o.State == policy.Halted && sameHandsets(o, r) {
			return refuse(api.CodeConflict, "build %d was halted for these handsets (%s); a fix is a new build", o.Plan.Build, o.Reason)
		}
	}
	return e.checkRoom(ctx, r, live)
}

// checkRoom refuses a start whose rollout would not fit into the document.
func (e *Engine) checkRoom(ctx context.Context, r *Rollout, live []Rollout) error {
	shown := len(live)
	if slices.ContainsFunc(live, func(o Rollout) bool { return o.ID == r.ID }) {
		shown-- // itself, scheduled
	}
	counts, err := e.Ledger.RolloutCounts(ctx)
	if err != nil {
		return fmt.Errorf("count rollouts: %w", err)
	}
	if shown+counts[r.Plan.Product][string(policy.Halted)] < maxDocument {
		return nil
	}
	halted, err := e.among(ctx, r.Plan.Product, haltedState)
	if err != nil {
		return err
	}
	for i := range halted { // those of withdrawn builds are in no document
		o := &halted[i]
		if o.ID == r.ID {
			continue
		}
		_, reference, err := e.Live(ctx, vote.Ref{Product: o.Plan.Product, Build: o.Plan.Build})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && reference == o.Release {
			shown++
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

// record is what the audit log says of a change.
type record struct {
	what   string
	by     Person
	why    string
	detail any
}

func (e *Engine) save(ctx context.Context, r Rollout, c record) (Rollout, error) {
	r.Changed = e.Now().UTC().Truncate(time.Second)
	row, err := r.row()
	if err != nil {
		return Rollout{}, err
	}
	detail, err := json.Marshal(c.detail)
	if err != nil {
		return Rollout{}, err
	}
	entry := store.Entry{At: r.Changed, Who: c.by.Name, What: c.what, Subject: string(r.ID), Why: c.why, Detail: detail}
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
	if r.Stage < 0 || len(r.Plan.Stages) <= r.Stage {
		return r, fmt.Errorf("rollout %s in the ledger: has no stage %d", row.ID, r.Stage)
	}
	r.ID, r.Version, r.Sequence, r.Created, r.Changed = manifests.Name(row.ID), row.Version, row.Sequence, row.Created, row.Updated
	return r, nil
}
