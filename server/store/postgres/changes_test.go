package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/storetest"
)

// await waits for a signal, or fails after a time that no machine needs.
func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("no signal after %s", what)
	}
}

func TestMovedHeadIsHeardByOtherReplicas(t *testing.T) {
	p := storetest.StartPostgres(t)
	url := p.Database(t)
	a, b := open(t, p, url), open(t, p, url)
	ctx, cancel := context.WithCancel(t.Context())
	moves := b.Changes(ctx)
	await(t, moves, "it began to listen")
	lease, err := a.Acquire(ctx, store.LeaseRequest{Name: "publish", Holder: "a", Now: epoch, For: time.Hour})
	must(t, err)
	must(t, a.SetHead(ctx, lease, 0, store.Head{Name: "timestamp", Version: 1, ETag: "x", Updated: epoch}))
	await(t, moves, "a head moved")
	must(t, p.Kill())
	must(t, p.Start(ctx))
	ended := time.Now()
	await(t, moves, "the engine came back")
	storetest.Recovered(t, "PostgreSQL crashed while others listened to it", ended)
	must(t, a.SetHead(ctx, lease, 1, store.Head{Name: "timestamp", Version: 2, ETag: "y", Updated: epoch}))
	await(t, moves, "a head moved again")
	cancel()
	for range moves { // ends, because the channel is closed
	}
}
