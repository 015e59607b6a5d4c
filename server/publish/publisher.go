package publish

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/lease"
	"github.com/candor-ota/candor/server/store"
)

// Ledger is the part of the ledger that publishing needs.
type Ledger interface {
	store.Leases
	ReserveVersion(ctx context.Context, l store.Lease, role string, least int64) (int64, error)
	Head(ctx context.Context, name string) (store.Head, error)
	SetHead(ctx context.Context, l store.Lease, old int64, h store.Head) error
}

// Blobs is the part of the store of blobs that publishing needs.
type Blobs interface {
	store.Heads
	Blob
}

// Rollouts says what a product's rollouts document holds, newest first, given
// the releases that will be signed in the same snapshot.
type Rollouts interface {
	Rollouts(ctx context.Context, p manifests.Product, signed map[manifests.Build]rollout.Reference) ([]rollout.Rollout, error)
}

// Options of a Publisher.
type Options struct {
	Ledger   Ledger
	Blobs    Blobs
	Keys     Keys
	Rollouts Rollouts
	Now      func() time.Time
	Log      *slog.Logger // nil is slog.Default
	// After runs in Run, after each look; nil is nothing.
	After func(context.Context) error
	// Observe is told of each try; nil is nobody.
	Observe Observe
	// Moved is told of each tree as readers begin to see it, the first one
	// included. It must neither wait nor call the publisher; nil is nobody.
	Moved func(*Tree)
	// Turn is how long a publish waits for other processes to end theirs; 0
	// where there are none.
	Turn time.Duration
	// Holder names this process in the lease; random if empty, and never the
	// same for two processes.
	Holder string
}

// Publisher keeps the tree. It is safe for concurrent use.
type Publisher struct {
	ledger   Ledger
	blobs    Blobs
	keys     Keys
	rollouts Rollouts
	now      func() time.Time
	log      *slog.Logger
	after    func(context.Context) error
	observe  Observe
	moved    func(*Tree)
	wait     time.Duration
	holder   string
	kick     chan struct{}
	tree     atomic.Pointer[Tree]
	failing  atomic.Int64 // since when publishing fails, Unix seconds; 0: it does not

	turn    sync.Mutex // of those in this process who publish; comes before mu
	mu      sync.Mutex
	current *generation       // nil: to be loaded
	shown   *generation       // what readers see; nil: nothing yet
	walked  map[rootLink]bool // steps between roots that a rehearsal found open
	named   map[manifests.Product]named
}

// ErrNotConfigured means that no root of trust was submitted yet.
var ErrNotConfigured = errors.New("there is no root of trust yet; publish the one that `candor-signer init` made with `candor-signer event publish`")

// LeaseName is the lease under which the tree moves.
const LeaseName = "publish"

// Open loads what is published and finishes what a crash interrupted. An empty
// ledger is fine: there is no tree then.
func Open(ctx context.Context, o Options) (*Publisher, error) {
	p := &Publisher{
		ledger: o.Ledger, blobs: o.Blobs, keys: o.Keys, rollouts: o.Rollouts, now: o.Now, log: o.Log, after: o.After,
		observe: o.Observe, moved: o.Moved, wait: o.Turn, holder: o.Holder, kick: make(chan struct{}, 1),
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.holder == "" {
		p.holder = rand.Text()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.follow(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Tree gives the newest published state, nil while there is none. It takes no
// lock.
func (p *Publisher) Tree() *Tree { return p.tree.Load() }

// State gives what submissions are judged against: where there are other
// processes, nothing that the ledger had as published before the call is
// missing from it.
func (p *Publisher) State(ctx context.Context) (State, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.fresh(ctx)
	if err != nil {
		return State{}, err
	}
	return g.state()
}

// generation gives the current one, loading it after a failure.
func (p *Publisher) generation(ctx context.Context) (*generation, error) {
	if p.current != nil {
		return p.current, nil
	}
	g, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	if p.shown != nil && g.number != p.shown.number { // somebody else made it
		if err := g.verify(); err != nil {
			return nil, fmt.Errorf("load the published tree: what another process published does not verify: %w", err)
		}
	}
	return g, p.adopt(ctx, g)
}

// Submit publishes what verify makes of the current state, and gives the
// version of the snapshot that carries it. Nobody else publishes between the
// two. A Submission that is published already changes nothing.
func (p *Publisher) Submit(ctx context.Context, verify func(State) (Submission, error)) (int64, error) {
	err := p.exclusively(ctx, func(ctx context.Context, lease store.Lease) error {
		state, err := p.current.state()
		if err != nil {
			return err
		}
		s, err := verify(state)
		if err != nil {
			return refusal{err}
		}
		if s = s.without(p.current); len(s.Metadata) == 0 {
			return nil
		}
		if err := p.rehearse(ctx, s); err != nil {
			var locked *LockedOut
			if errors.As(err, &locked) {
				return refusal{err}
			}
			return err
		}
		if err := p.note(ctx, lease, s); err != nil {
			return err
		}
		return p.finish(ctx, lease)
	})
	if err != nil {
		return 0, err
	}
	return p.Tree().Snapshot, nil
}

// Publish brings the tree up to date with the ledger, if they differ.
func (p *Publisher) Publish(ctx context.Context) error {
	return p.exclusively(ctx, func(ctx context.Context, lease store.Lease) error { return p.advance(ctx, lease, nil) })
}

// Renew is Publish for a tree that exists; without one it does nothing. It is
// cheap while nothing is due.
func (p *Publisher) Renew(ctx context.Context) error {
	err := p.Publish(ctx)
	if errors.Is(err, ErrNotConfigured) {
		return nil
	}
	return err
}

// FailingSince tells since when Run cannot publish; zero if it can.
func (p *Publisher) FailingSince() time.Time {
	if s := p.failing.Load(); s != 0 {
		return time.Unix(s, 0)
	}
	return time.Time{}
}

// Kick makes Run publish soon.
func (p *Publisher) Kick() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Run renews what is due and repeats what failed, until ctx ends.
func (p *Publisher) Run(ctx context.Context) {
	const period, again = 30 * time.Second, 2 * time.Second
	for wait := time.Duration(0); ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-p.kick:
		case <-timer.C:
		}
		timer.Stop()
		wait = period
		err := p.Renew(ctx)
		if err == nil && p.after != nil {
			err = p.after(ctx)
		}
		if err == nil {
			p.failing.Store(0)
		}
		if err != nil && ctx.Err() == nil {
			p.failing.CompareAndSwap(0, p.now().Unix())
			p.log.Error("publish failed; it is tried again", "error", err)
			wait = again
		}
	}
}

// tries is how often a publish is begun anew after its lease was lost.
const tries = 3

// exclusively runs f under the lease, on the state that the ledger has, after
// whatever was noted and not finished. A failure makes the next call load the
// state anew; one that only means that another process came first is repeated
// where there are others.
func (p *Publisher) exclusively(ctx context.Context, f func(context.Context, store.Lease) error) (err error) {
	p.turn.Lock()
	defer p.turn.Unlock()
	before := p.Tree()
	if p.observe != nil {
		var ended func(Outcome, error)
		ctx, ended = p.observe(ctx)
		defer func() { ended(outcome(before, p.Tree(), err)) }()
	}
	r := lease.Request{Leases: p.ledger, Name: LeaseName, Holder: p.holder, Now: p.now, Wait: p.wait, Log: p.log}
	for range tries {
		err = lease.Do(ctx, r, func(ctx context.Context, l store.Lease) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if err := p.follow(ctx); err != nil {
				return err
			}
			before = p.Tree()
			if err := p.finish(ctx, l); err != nil {
				return err
			}
			return f(ctx, l)
		})
		if refused := (refusal{}); p.wait == 0 || ctx.Err() != nil || !errors.Is(err, store.ErrStale) || errors.As(err, &refused) {
			break
		}
	}
	if err != nil && errors.Is(err, store.ErrConflict) {
		err = fmt.Errorf("publish: another process is at it: %w", err)
	}
	return err
}

// note makes a submission certain: from here on it is published, whatever
// happens.
func (p *Publisher) note(ctx context.Context, lease store.Lease, s Submission) error {
	document, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("note submission: %w", err)
	}
	h, err := p.ledger.Head(ctx, submissionHead)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("note submission: %w", err)
	}
	next := store.Head{
		Name: submissionHead, Version: h.Version + 1, ETag: store.ETag(manifests.SumSHA256(document).String()), Document: document, Updated: p.now(),
	}
	if err := p.ledger.SetHead(ctx, lease, h.Version, next); err != nil {
		return fmt.Errorf("note submission: %w", err)
	}
	return nil
}

// finish publishes a submission that was noted, if there is one.
func (p *Publisher) finish(ctx context.Context, lease store.Lease) error {
	h, err := p.ledger.Head(ctx, submissionHead)
	if errors.Is(err, store.ErrNotFound) || err == nil && h.Version <= p.current.Submission {
		return nil
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	n := noted{version: h.Version}
	if err := json.Unmarshal(h.Document, &n.Submission); err != nil {
		return fmt.Errorf("publish: submission %d: %w", h.Version, err)
	}
	return p.advance(ctx, lease, &n)
}

// noted is a submission with its number in the ledger.
type noted struct {
	Submission
	version int64
}
