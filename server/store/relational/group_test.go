package relational

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/candor-ota/candor/server/store"
)

// start runs a group on a writer of the test's own.
func start(t *testing.T, write func(context.Context, []*job) error) *group {
	t.Helper()
	g := newGroup(write)
	t.Cleanup(g.close)
	return g
}

// await polls a condition of another goroutine that no channel tells of.
func await(t testing.TB, done func() bool) {
	t.Helper()
	for range 10_000_000 {
		if done() {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("waited in vain")
}

func oneVote() *job { return &job{cast: &store.Ballot{}} }

func TestWhatIsQueuedAtCloseIsWritten(t *testing.T) {
	entered, release := make(chan struct{}, 100), make(chan struct{})
	var written atomic.Int64
	g := start(t, func(_ context.Context, jobs []*job) error {
		entered <- struct{}{}
		<-release
		written.Add(int64(len(jobs)))
		return nil
	})
	const n = 50
	errs := make(chan error, n)
	for range n {
		go func() { errs <- g.submit(t.Context(), oneVote()) }()
	}
	<-entered
	closed := make(chan struct{})
	go func() { defer close(closed); g.close() }()
	close(release)
	<-closed
	acknowledged := int64(0)
	for range n {
		if err := <-errs; err == nil {
			acknowledged++
		} else if !errors.Is(err, errLedgerClosed) {
			t.Error(err)
		}
	}
	if written.Load() != acknowledged {
		t.Errorf("%d votes were written, %d acknowledged", written.Load(), acknowledged)
	}
	if err := g.submit(t.Context(), oneVote()); !errors.Is(err, errLedgerClosed) {
		t.Errorf("a closed group answers %v", err)
	}
}

func TestFullQueueSaysBusy(t *testing.T) {
	release := make(chan struct{})
	g := start(t, func(context.Context, []*job) error { <-release; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	var busy atomic.Int64
	var callers sync.WaitGroup
	for range groupQueue + groupLimit + 10 {
		callers.Go(func() {
			if errors.Is(g.submit(ctx, oneVote()), store.ErrBusy) {
				busy.Add(1)
			}
		})
	}
	await(t, func() bool { return busy.Load() >= 10 })
	cancel()
	close(release)
	callers.Wait()
	await(t, func() bool { return g.submit(t.Context(), oneVote()) == nil })
}

func TestOneBadGroupFailsItsCallersOnly(t *testing.T) {
	broken := errors.New("broken")
	fail := true
	g := start(t, func(context.Context, []*job) error {
		if fail {
			fail = false
			return broken
		}
		return nil
	})
	if err := g.submit(t.Context(), oneVote()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := g.submit(t.Context(), oneVote()); err != nil {
		t.Error(err)
	}
}
