package publish_test

import (
	"context"
	"errors"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// headless is a ledger that ends with the process just before the head moves.
type headless struct {
	publish.Ledger
	dead bool
}

func (l *headless) SetHead(ctx context.Context, lease store.Lease, old int64, h store.Head) error {
	if l.dead {
		return errFault
	}
	return l.Ledger.SetHead(ctx, lease, old, h)
}

// What handsets have read is final, so they read nothing before the ledger
// holds it: a successor might publish something else under the same counter.
func TestNothingIsServedBeforeTheLedgerHoldsIt(t *testing.T) {
	w := newWorld(t)
	w.rollouts.builds = []manifests.Build{42}
	l := &headless{Ledger: w.ledger}
	p, err := w.open(l, w.blobs)
	w.must(err)
	for _, s := range []publish.Submission{w.makers.Init(), w.makers.Product(phone), w.makers.Add(w.makers.Release(42))} {
		_, err := submit(p, s)
		w.must(err)
	}
	tree, document := p.Tree(), w.read()
	l.dead, w.rollouts.state = true, rollout.Halted
	if err := p.Publish(ctx); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	if p.Tree() != tree {
		t.Error("the process serves what the ledger does not hold")
	}
	if got := w.read(); got.Counter != document.Counter || got.Rollouts[0].State != rollout.Active {
		t.Errorf("the store serves what the ledger does not hold: %+v", got)
	}
	l.dead = false
	w.must(p.Publish(ctx))
	if got := w.read(); got.Counter != document.Counter+1 || got.Rollouts[0].State != rollout.Halted {
		t.Errorf("after the fault: %+v", got)
	}
}
