package publish_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/publish"
)

func TestFailureIsKnownUntilItIsOver(t *testing.T) {
	w := newWorld(t)
	seen := make(chan time.Time)
	var p *publish.Publisher
	calls := 0
	after := func(context.Context) error {
		if calls++; calls > 1 {
			seen <- p.FailingSince()
		}
		if calls < 3 {
			return errors.New("no")
		}
		return nil
	}
	p, err := publish.Open(t.Context(), publish.Options{
		Ledger: w.ledger, Blobs: w.blobs, Keys: w.keys, Rollouts: w.rollouts, Now: w.clock, After: after,
	})
	w.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	for i, failing := range []bool{true, true, false} {
		p.Kick()
		if at := <-seen; at.IsZero() == failing {
			t.Errorf("look %d: failing since %v", i+2, at)
		}
	}
	cancel()
	<-done
}
