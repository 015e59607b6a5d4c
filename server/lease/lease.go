// Package lease holds a lease of the ledger for as long as something takes:
// it waits for its turn, renews the lease in the background, and gives it up at
// the end.
//
// Parties. The processes that work on one ledger. None has to trust another's
// clock: a lease only keeps them out of each other's way, and every write that
// must not be done twice carries the lease's fence, or finds a version moved.
//
// Promises. What runs under a lease is told, by the end of its context, when
// the lease has passed on or can no longer be renewed. A dead process costs the
// others Life at most.
//
// Failure. A process that was paused for longer than Life goes on for a moment
// before it learns that; the ledger refuses what it writes meanwhile.
package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// Life is how long a lease lives that is not renewed: what the death of its
// holder costs. The ledger counts in seconds, so it is up to one second less.
const Life = 6 * time.Second

// renewal is a quarter, so that a slow ledger may fail twice.
const renewal = Life / 4

// Between two tries to get a lease that somebody else holds.
const leastWait, mostWait = 15 * time.Millisecond, 120 * time.Millisecond

// ErrLost means that the lease has passed on, or could not be renewed, while
// something ran under it. It is a store.ErrStale.
var ErrLost = fmt.Errorf("the lease was lost: %w", store.ErrStale)

// Request says which lease is wanted, and how long to wait for it.
type Request struct {
	Leases store.Leases
	Name   string
	Holder string // unique to the process
	Now    func() time.Time
	Wait   time.Duration // 0: not at all
	Log    *slog.Logger
}

// Do runs f under the lease. store.ErrConflict means that somebody else held it
// all the time; f did not run then. Where f fails because the lease was lost,
// the error is ErrLost as well.
func Do(ctx context.Context, r Request, f func(context.Context, store.Lease) error) error {
	got, err := r.await(ctx)
	if err != nil {
		return err
	}
	running, end := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		r.renew(running, got, end)
	}()
	err = f(running, got)
	lost := errors.Is(context.Cause(running), ErrLost)
	end(nil)
	<-renewed
	if lost {
		return errors.Join(err, lostBy(err))
	}
	if yield := r.Leases.Yield(context.WithoutCancel(ctx), got); yield != nil {
		r.Log.Warn("the lease runs out by itself", "lease", r.Name, "error", yield)
	}
	return err
}

// lostBy says ErrLost where something failed; what went well is well.
func lostBy(err error) error {
	if err == nil {
		return nil
	}
	return ErrLost
}

func (r Request) await(ctx context.Context) (store.Lease, error) {
	for end := time.Now().Add(r.Wait); ; {
		got, err := r.acquire(ctx)
		if !errors.Is(err, store.ErrConflict) || time.Now().After(end) || r.Wait == 0 {
			return got, err
		}
		timer := time.NewTimer(leastWait + rand.N(mostWait-leastWait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return got, errors.Join(ctx.Err(), err)
		}
	}
}

func (r Request) acquire(ctx context.Context) (store.Lease, error) {
	return r.Leases.Acquire(ctx, store.LeaseRequest{Name: r.Name, Holder: r.Holder, Now: r.Now(), For: Life})
}

// renew keeps the lease until ctx ends, or ends it when the lease is lost.
func (r Request) renew(ctx context.Context, held store.Lease, end context.CancelCauseFunc) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for alive := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		got, err := r.acquire(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && got.Fence == held.Fence:
			alive = time.Now()
		case err == nil: // it had run out, and nobody else took it; what the old fence protects is over
			if yield := r.Leases.Yield(ctx, got); yield != nil {
				r.Log.Warn("the lease runs out by itself", "lease", r.Name, "error", yield)
			}
			end(ErrLost)
			return
		case errors.Is(err, store.ErrConflict) || time.Since(alive) > Life:
			end(ErrLost)
			return
		}
	}
}
