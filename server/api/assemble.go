package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/events"
	"github.com/candor-ota/candor/server/hooks"
	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/peers"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/votes"
	"github.com/candor-ota/candor/server/watch"
)

// Parts are what differs from one service to another: stores, secrets, rules
// and the clock. Log may be nil.
type Parts struct {
	Ledger    store.Ledger
	Blobs     store.Blobs
	Keys      publish.Keys
	Master    vote.Master
	UploadDir string // exists; for blobs that are arriving
	Now       func() time.Time
	Log       *slog.Logger

	MinKeyAge time.Duration // see votes.Config; zero for none
	Grace     time.Duration
	ShowEvery time.Duration
	// CloseAfter is how long after the end of its rollouts a release still
	// takes votes.
	CloseAfter time.Duration

	// ApprovalShare is the greatest share that one person may open.
	ApprovalShare manifests.SharePPM
	// LookEvery is how often the engine looks at the rollouts.
	LookEvery time.Duration

	// People sign in with a browser; nil if nobody does. TrustedProxies: see
	// Deps.
	People         *auth.People
	TrustedProxies []string

	// Limits bound what is done at once; the zero value is overload.Defaults.
	Limits overload.Limits

	// Webhooks are told of every change.
	Webhooks []hooks.Config

	// Observed keeps the figures and makes the spans; nil: figures alone.
	Observed *observe.Observer

	// Shared says that other processes work on the same ledger. If it is not,
	// whoever still holds a lease is dead, and nobody waits for it to run out.
	Shared bool
	// Peers is this server among the others; nil if there are none.
	Peers *peers.Member
}

// judged gives the engine the votes, once they are there.
type judged struct{ *Deps }

func (j judged) Evidence(ctx context.Context, ref vote.Ref, grace time.Duration) (verdict.Counts, error) {
	c, err := j.Votes.Counts(ctx, ref)
	return c.Evidence(grace), err
}

func (judged) Masked(c verdict.Counts) verdict.Counts { return votes.Masked(c) }

func (j judged) Shown(ctx context.Context, ref vote.Ref, grace time.Duration) (verdict.Counts, error) {
	c, err := j.Votes.Shown(ctx, ref)
	return c.Evidence(grace), err
}

func (j judged) LabFailures(ctx context.Context, ref vote.Ref) ([]verdict.LabFailure, error) {
	return j.Votes.LabFailures(ctx, ref)
}

// Assemble builds the whole service over its stores, and brings ledger and
// tree to where they were going before a crash, before anybody is served. A
// tree that cannot be brought there is served as it is, which halts nothing
// that runs; Run goes on trying. The caller serves the API, keeps Run running,
// and closes it before the stores. What a ledger offers besides store.Ledger is
// looked for in the one that comes in Parts.
func Assemble(ctx context.Context, p Parts) (*API, error) {
	if p.Limits == (overload.Limits{}) {
		files, err := overload.Files()
		if err != nil {
			return nil, err
		}
		p.Limits = overload.Defaults(files)
	}
	hub := watch.New(watch.Options{Streams: p.Limits.Streams, PerAddress: p.Limits.StreamsPerAddress, Heartbeat: p.Limits.Heartbeat})
	a, err := assemble(ctx, p, hub)
	if err != nil {
		hub.Close()
	}
	return a, err
}

func assemble(ctx context.Context, p Parts, hub *watch.Hub) (*API, error) {
	d := Deps{Watch: hub, Limits: p.Limits}
	var err error
	ledger := p.Ledger
	if p.Log == nil {
		p.Log = slog.Default()
	}
	if d.Observed = p.Observed; d.Observed == nil {
		d.Observed = observe.New(p.Now, nil)
	}
	d.Observed.Groups(p.Ledger)
	p.Ledger = d.Observed.Ledger(p.Ledger)
	if d.Peers = p.Peers; p.Shared && p.Peers != nil {
		p.Ledger = p.Peers.Ledger(p.Ledger)
	}
	blobs := d.Observed.Blobs(p.Blobs) // the front reads past it: downloads are counted there
	d.People, d.TrustedProxies = p.People, p.TrustedProxies
	d.Ledger, d.Blobs, d.Now, d.Log, d.CloseAfter, d.LookEvery, d.ShowEvery = p.Ledger, p.Blobs, p.Now, p.Log, p.CloseAfter, p.LookEvery, p.ShowEvery
	if d.LookEvery <= 0 {
		d.LookEvery = DefaultLook
	}
	if d.Hooks, err = hooks.New(hooks.Options{Ledger: p.Ledger, Hooks: p.Webhooks, Now: p.Now, Log: p.Log}); err != nil {
		return nil, err
	}
	// Engine, publisher and intake need one another; these look them up late.
	live := func(ctx context.Context, ref vote.Ref) (*manifests.Release, policy.Reference, error) {
		return d.Intake.Live(ctx, ref)
	}
	d.Rollouts = rollout.New(rollout.Options{
		Ledger: p.Ledger, Now: p.Now, Live: live, Votes: judged{&d}, Grace: p.Grace, ApprovalShare: p.ApprovalShare, Log: p.Log,
		Publish: func(ctx context.Context) error { return d.Tree.Publish(ctx) }, Observe: d.Observed.Looking,
	})
	settle := func(ctx context.Context) error {
		if err := d.Intake.Reconcile(ctx, "server"); err != nil {
			return err
		}
		return d.Rollouts.Settle(ctx)
	}
	if d.Votes, err = votes.New(votes.Config{
		Master: p.Master, Ledger: p.Ledger, Now: p.Now, Random: rand.Reader, FirstStage: d.Rollouts.FirstStage,
		MinKeyAge: p.MinKeyAge, Grace: p.Grace, ShowEvery: p.ShowEvery,
	}); err != nil {
		return nil, err
	}
	if !p.Shared {
		if err = inherit(ctx, p); err != nil {
			return nil, err
		}
	}
	if d.Tree, err = publish.Open(ctx, publish.Options{
		Ledger: p.Ledger, Blobs: blobs, Keys: p.Keys, Rollouts: d.Rollouts, Now: p.Now, Log: p.Log, After: settle,
		Observe: d.Observed.Publishing, Turn: p.turn(), Holder: p.holder(),
		Moved: func(t *publish.Tree) { hub.Moved(t.Counters) },
	}); err != nil {
		return nil, err
	}
	if d.Intake, err = release.New(release.Options{
		Ledger: p.Ledger, Blobs: blobs, Tree: d.Tree, Keys: p.Keys, Master: p.Master, Now: p.Now, OpenVotes: d.Votes.OpenRelease,
		UseSpare: d.Votes.UseSpare,
	}); err != nil {
		return nil, err
	}
	d.Events = events.New(events.Options{Ledger: p.Ledger, Intake: d.Intake, Now: p.Now, Log: p.Log})
	if err := settle(ctx); err != nil {
		return nil, err
	}
	d.share(p, ledger)
	if !p.Shared { // else Run waits for its turn, and nobody here
		if err := d.Tree.Renew(ctx); err != nil {
			p.Log.Error("the tree is not what the ledger says; it is published as soon as that works", "error", err)
		}
	}
	if d.Uploads, err = p.uploads(blobs); err != nil {
		return nil, err
	}
	a, err := New(d)
	if err != nil {
		return nil, errors.Join(err, d.Uploads.Close())
	}
	if tells, ok := ledger.(teller); ok {
		tells.OnEntry(a.Live.Kick)
	}
	return a, nil
}

// inherit ends the leases that a process before left when it died, or halting
// would wait for them to run out, and by a clock that was set back for longer.
// They are taken in a time when they have run out, and given up at once; their
// fences rise.
func inherit(ctx context.Context, p Parts) error {
	then := p.Now().AddDate(100, 0, 0)
	names := []string{publish.LeaseName, rollout.LeaseName}
	for _, h := range p.Webhooks {
		names = append(names, hooks.LeaseName(h.Name))
	}
	for _, name := range names {
		if _, err := p.Ledger.Acquire(ctx, store.LeaseRequest{Name: name, Holder: rand.Text(), Now: then, For: time.Unix(0, 0).Sub(then)}); err != nil {
			return fmt.Errorf("end the lease of the process before: %w", err)
		}
	}
	return nil
}

// DefaultLook is how often the engine looks at the rollouts.
const DefaultLook = 10 * time.Second

// closeEvery is how often votes are looked at that may be closed.
const closeEvery = time.Hour

// Run keeps what is published up to date, takes the rollouts' steps, tells the
// webhooks, and closes votes that are over, until ctx ends.
func (a *API) Run(ctx context.Context) {
	var others sync.WaitGroup
	others.Go(func() { a.closeVotes(ctx) })
	others.Go(func() { a.Rollouts.Run(ctx, a.LookEvery) })
	others.Go(func() { a.Hooks.Run(ctx) })
	others.Go(func() { a.Tree.Watch(ctx) })
	others.Go(func() { a.follow(ctx) })
	others.Go(func() { a.keepOnRoll(ctx) })
	others.Go(func() { a.Live.Run(ctx) })
	a.Tree.Run(ctx)
	others.Wait()
}

func (a *API) closeVotes(ctx context.Context) {
	tick := time.NewTicker(closeEvery)
	defer tick.Stop()
	for {
		if err := a.Votes.CloseOver(ctx, a.CloseAfter, a.Rollouts.Over); err != nil && ctx.Err() == nil {
			a.Log.Error("votes that are over stay open for now", "error", err)
		}
		if err := a.unsigned(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("whether votes wait for their engineers cannot be told for now", "error", err)
		}
		if err := a.Events.Settle(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("signing events that are over are not recorded as such yet", "error", err)
		}
		if err := a.Uploads.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("what is left of uploads that are over takes space for now", "error", err)
		}
		a.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// unsigned logs the releases on which nobody votes until engineers sign that.
func (a *API) unsigned(ctx context.Context) error {
	all, err := a.Ledger.VoteReleases(ctx)
	if err != nil {
		return err
	}
	signed, err := a.Tree.Spare(ctx)
	if err != nil {
		return err
	}
	for _, ref := range votes.Unsigned(all, func(ref vote.Ref) bool { return signed[ref] }) {
		a.Log.Warn("no handset votes on a release until its engineers sign that its spare keys count, or withdraw it (candor-signer votes spare)", "product", ref.Product, "build", ref.Build)
	}
	return nil
}

// Close releases what Assemble opened; the stores are the caller's.
func (a *API) Close() error {
	a.EndStreams()
	return a.Uploads.Close()
}
