package publish_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
)

func TestEachTryToPublishIsToldWithItsOutcome(t *testing.T) {
	w := newWorld(t)
	f := &faults{}
	var told []publish.Outcome
	type mark struct{}
	p, err := publish.Open(ctx, publish.Options{
		Ledger: faultyLedger{w.ledger, f}, Blobs: w.blobs, Keys: w.keys, Rollouts: w.rollouts, Now: w.clock,
		Observe: func(ctx context.Context) (context.Context, func(publish.Outcome, error)) {
			return context.WithValue(ctx, mark{}, true), func(o publish.Outcome, err error) {
				if (o == publish.Failed) != (err != nil) {
					t.Errorf("%s with %v", o, err)
				}
				told = append(told, o)
			}
		},
	})
	w.must(err)
	next := func(want publish.Outcome, err error, fails bool) {
		t.Helper()
		if fails != (err != nil) || !slices.Equal(told, []publish.Outcome{want}) {
			t.Errorf("%v, told was %v; want %s", err, told, want)
		}
		told = nil
	}
	next(publish.Unchanged, p.Publish(ctx), true) // there is no root
	no := errors.New("no")
	_, err = p.Submit(ctx, func(publish.State) (publish.Submission, error) { return publish.Submission{}, no })
	if !errors.Is(err, no) {
		t.Errorf("what verify says got lost: %v", err)
	}
	next(publish.Refused, err, true)
	_, err = submit(p, releasetest.Join(w.makers.Init(), w.makers.Product(phone)))
	next(publish.Moved, err, false)
	next(publish.Unchanged, p.Publish(ctx), false)
	w.advance(7 * time.Hour)
	f.at, f.count = 1, 0
	next(publish.Failed, p.Publish(ctx), true)
	next(publish.Moved, p.Publish(ctx), false)
	_, err = w.ledger.Acquire(ctx, store.LeaseRequest{Name: publish.LeaseName, Holder: "another", Now: w.clock(), For: time.Minute})
	w.must(err)
	next(publish.Elsewhere, p.Publish(ctx), true)
}
