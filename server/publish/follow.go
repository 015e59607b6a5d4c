package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// Times of a process among others.
const (
	// FollowEvery is how often the ledger's head is read although nobody told
	// that it moved.
	FollowEvery = 2 * time.Second
	// After others changed something they get this long, and up to as long
	// again, to publish it themselves before we look whether they did.
	soon = time.Second
	// readTime bounds one look: a ledger that does not answer holds up no
	// later one.
	readTime = 5 * time.Second
)

// Follower keeps a Publisher at what other processes publish.
type Follower struct {
	p        *Publisher
	changed  func(context.Context) (int64, error)
	seen     int64        // of changed
	followed atomic.Int64 // when the ledger was last read, Unix nanoseconds
	asks     newest
}

// Follower makes one; Run runs it. changed gives a number that rises with every
// change that may have to be published, such as that of the last entry of the
// audit log.
func (p *Publisher) Follower(changed func(context.Context) (int64, error)) *Follower {
	out := &Follower{p: p, changed: changed}
	out.followed.Store(time.Now().UnixNano())
	return out
}

// Silent is for how long the ledger could not be read.
func (f *Follower) Silent() time.Duration { return time.Since(time.Unix(0, f.followed.Load())) }

// Run follows until ctx ends: whenever moved signals that a head may have moved
// (nil: nothing does), and every FollowEvery. Whatever others changed and did
// not publish, because they died, is published from here.
func (f *Follower) Run(ctx context.Context, moved <-chan struct{}) {
	tick := time.NewTicker(FollowEvery)
	defer tick.Stop()
	for told := false; ; {
		err := f.look(ctx)
		if err != nil && ctx.Err() == nil && !told {
			f.p.log.Error("what other servers publish cannot be read; what was verified last is served on", "error", err)
		} else if err == nil && told {
			f.p.log.Info("what other servers publish is read again")
		}
		told = err != nil
		select {
		case <-ctx.Done():
			return
		case _, open := <-moved:
			if !open {
				moved = nil
			}
		case <-tick.C:
		}
	}
}

// look takes what has moved since the last look.
func (f *Follower) look(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, readTime)
	defer done()
	moved, err := f.p.Follow(ctx)
	if err != nil {
		return err
	}
	n, err := f.changed(ctx)
	if err != nil {
		return err
	}
	f.followed.Store(time.Now().UnixNano())
	if moved || n != f.seen {
		f.seen = n
		time.AfterFunc(soon+rand.N(soon), f.p.Kick)
	}
	return nil
}

// Follow shows what another process has published, and tells whether there was
// something new. Before it is shown it is verified as a handset would. With an
// error, readers see what they saw before.
func (p *Publisher) Follow(ctx context.Context) (bool, error) {
	h, err := p.ledger.Head(ctx, treeHead)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("follow: %w", err)
	}
	if t := p.Tree(); t != nil && t.Head == h.Version {
		return false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.Tree()
	if err := p.follow(ctx); err != nil {
		return false, fmt.Errorf("follow: %w", err)
	}
	return p.Tree() != before, nil
}

// fresh gives the generation that the ledger has now; without others, that is
// the current one.
func (p *Publisher) fresh(ctx context.Context) (*generation, error) {
	if p.wait > 0 {
		if err := p.follow(ctx); err != nil {
			return nil, err
		}
	}
	return p.generation(ctx)
}

// follow loads the state if another process moved it, again if it moves
// meanwhile.
func (p *Publisher) follow(ctx context.Context) error {
	for try := 1; ; try++ {
		err := p.followOnce(ctx)
		if !errors.Is(err, store.ErrStale) || try == 2*tries {
			return err
		}
	}
}

func (p *Publisher) followOnce(ctx context.Context) error {
	g, err := p.generation(ctx)
	if err != nil {
		return err
	}
	h, err := p.ledger.Head(ctx, treeHead)
	if errors.Is(err, store.ErrNotFound) && g.number == 0 || err == nil && h.Version == g.number {
		return nil
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	p.current = nil
	_, err = p.generation(ctx)
	return err
}
