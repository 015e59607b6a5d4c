package lease_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/server/lease"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/storetest"
)

// table is a ledger of one lease, in memory.
type table struct {
	mu   sync.Mutex
	held store.Lease
	fail error // of every call
}

func (l *table) Acquire(_ context.Context, r store.LeaseRequest) (store.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return store.Lease{}, l.fail
	}
	if l.held.Holder != r.Holder && l.held.Expires.After(r.Now) {
		return l.held, fmt.Errorf("held by %s: %w", l.held.Holder, store.ErrConflict)
	}
	if l.held.Holder != r.Holder || !l.held.Expires.After(r.Now) {
		l.held.Fence++
	}
	l.held.Holder, l.held.Expires = r.Holder, r.Now.Add(r.For)
	return l.held, nil
}

func (l *table) Lease(context.Context, string) (store.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held, l.fail
}

func (l *table) Yield(_ context.Context, v store.Lease) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.Holder == l.held.Holder && v.Fence == l.held.Fence {
		l.held.Expires = time.Time{}
	}
	return l.fail
}

func (l *table) fall(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func request(l *table, holder string, wait time.Duration) lease.Request {
	return lease.Request{Leases: l, Name: "x", Holder: holder, Now: time.Now, Wait: wait, Log: slog.Default()}
}

func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func TestLeaseOfALivingProcessIsNeverTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ctx := &table{}, t.Context()
		var inside, most, runs int
		var mu sync.Mutex
		one := func(ctx context.Context, _ store.Lease) error {
			mu.Lock()
			inside, runs = inside+1, runs+1
			most = max(most, inside)
			mu.Unlock()
			err := pass(ctx, 5*lease.Life) // much longer than it lives unless it is renewed
			mu.Lock()
			inside--
			mu.Unlock()
			return err
		}
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				if err := lease.Do(ctx, request(l, fmt.Sprint(i), time.Hour), one); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most != 1 || runs != 3 {
			t.Errorf("%d at once, %d in all", most, runs)
		}
	})
}

func TestDeadProcessCostsTheOthersItsLifeAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &table{}
		if _, err := l.Acquire(t.Context(), store.LeaseRequest{Holder: "dead", Now: time.Now(), For: lease.Life}); err != nil {
			t.Fatal(err)
		}
		died := time.Now()
		never := func(context.Context, store.Lease) error { t.Error("ran beside the holder"); return nil }
		if err := lease.Do(t.Context(), request(l, "impatient", time.Second), never); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v", err)
		}
		if err := lease.Do(t.Context(), request(l, "next", time.Minute), func(context.Context, store.Lease) error { return nil }); err != nil {
			t.Error(err)
		}
		took := time.Since(died)
		if took > lease.Life+time.Second {
			t.Errorf("it took %s", took)
		}
		storetest.RecoveredIn(t, "whoever held the lease died, by a clock of its own", took)
	})
}

func TestWhoeverLosesTheLeaseIsTold(t *testing.T) {
	for name, lose := range map[string]func(l *table){
		"taken": func(l *table) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.held = store.Lease{Holder: "other", Fence: l.held.Fence + 1, Expires: time.Now().Add(time.Hour)}
		},
		"run out while paused": func(l *table) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.held.Expires = time.Time{}
		},
		"ledger away": func(l *table) { l.fall(store.ErrUnavailable) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &table{}
				begun := time.Now()
				err := lease.Do(t.Context(), request(l, "me", 0), func(ctx context.Context, _ store.Lease) error {
					lose(l)
					return pass(ctx, time.Hour)
				})
				if !errors.Is(err, lease.ErrLost) || !errors.Is(err, store.ErrStale) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(begun); took > 2*lease.Life {
					t.Errorf("told after %s", took)
				}
			})
		})
	}
}
