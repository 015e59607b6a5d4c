package publish_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

func never(context.Context) (int64, error) { return 0, nil }

func TestWhoAsksForTheNewestGetsIt(t *testing.T) {
	w, _ := ready(t)
	link := &away{Ledger: w.ledger}
	a, b := w.replica(w.ledger, w.blobs), w.replica(link, w.blobs)
	f := b.Follower(never)
	for _, s := range []rollout.State{rollout.Halted, rollout.Active, rollout.Halted} {
		w.rollouts.state = s
		w.must(a.Publish(ctx))
		if timestampOf(t, a) == timestampOf(t, b) {
			t.Fatal("the replica knew before it was asked")
		}
		if w.must(f.Newest(ctx)); timestampOf(t, a) != timestampOf(t, b) {
			t.Error("an older tree was given")
		}
	}
	link.gone = true
	if err := f.Newest(ctx); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without its ledger: %v", err)
	}
}

// slow is a ledger whose head takes as long as the test likes.
type slow struct {
	publish.Ledger
	looks   atomic.Int64
	begun   chan struct{}
	release chan struct{}
}

func (s *slow) Head(ctx context.Context, name string) (store.Head, error) {
	s.looks.Add(1)
	s.begun <- struct{}{}
	<-s.release
	return s.Ledger.Head(ctx, name)
}

// TestManyWhoAskForTheNewestCostOneLookAtATime: those who come while a look is
// under way share the next one, as what it read may be older than their question.
func TestManyWhoAskForTheNewestCostOneLookAtATime(t *testing.T) {
	w, _ := ready(t)
	s := &slow{Ledger: w.ledger, begun: make(chan struct{}, 10), release: make(chan struct{})}
	o := w.options(w.ledger, w.blobs)
	p, err := publish.Open(ctx, o)
	w.must(err)
	o.Ledger = s
	close(s.release)
	q, err := publish.Open(ctx, o)
	w.must(err)
	for len(s.begun) > 0 {
		<-s.begun
	}
	s.release = make(chan struct{})
	s.looks.Store(0)
	f := q.Follower(never)
	var readers sync.WaitGroup
	readers.Go(func() { w.must(f.Newest(ctx)) })
	<-s.begun
	w.rollouts.state = rollout.Halted
	w.must(p.Publish(ctx))
	var came sync.WaitGroup
	for range 100 {
		came.Add(1)
		readers.Go(func() {
			gone, end := context.WithCancel(ctx)
			end()
			if err := f.Newest(gone); !errors.Is(err, context.Canceled) {
				t.Errorf("who has gone: %v", err)
			}
			came.Done()
			if err := f.Newest(ctx); err != nil || timestampOf(t, p) != timestampOf(t, q) {
				t.Errorf("an older tree was given, %v", err)
			}
		})
	}
	came.Wait()
	close(s.release)
	readers.Wait()
	if n := s.looks.Load(); n > 6 {
		t.Errorf("%d looks for 201 questions", n)
	}
}
