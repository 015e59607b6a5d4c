package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// newest lets any number of readers ask for the newest tree at the price of one
// look at the ledger at a time.
type newest struct {
	mu      sync.Mutex
	running bool
	next    *asked // has not begun; nil: nobody waits for it
}

// asked is one look, for all who asked before it began.
type asked struct {
	done chan struct{}
	err  error // once done is closed
}

// Newest waits until Tree has all that the ledger had as published before the
// call. Its error says that this server is behind, or may be; a reader is then
// to come again. Many callers cost one look at the ledger after the other.
func (f *Follower) Newest(ctx context.Context) error {
	a := f.asks.join(func() error {
		ctx, done := context.WithTimeout(context.Background(), readTime) // nobody's in particular
		defer done()
		_, err := f.p.Follow(ctx)
		return err
	})
	select {
	case <-a.done:
	case <-ctx.Done():
		return errors.Join(errBehind, ctx.Err())
	}
	if a.err != nil {
		return fmt.Errorf("%w: %w", errBehind, a.err)
	}
	return nil
}

var errBehind = errors.New("what other servers published is not known here yet")

// join gives the look that begins next: one that is under way may have read the
// ledger before whoever calls now was answered elsewhere.
func (n *newest) join(look func() error) *asked {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = &asked{done: make(chan struct{})}
	}
	if !n.running {
		n.running = true
		go n.run(look)
	}
	return n.next
}

// run looks until nobody waits.
func (n *newest) run(look func() error) {
	for {
		n.mu.Lock()
		a := n.next
		n.next, n.running = nil, a != nil
		n.mu.Unlock()
		if a == nil {
			return
		}
		a.err = look()
		close(a.done)
	}
}
