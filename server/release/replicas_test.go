package release_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
)

// beside does something the first time that the releases are listed.
type beside struct {
	*sqlite.Ledger
	first func()
}

func (b *beside) Releases(ctx context.Context, p manifests.Product) ([]store.Release, error) {
	if f := b.first; f != nil {
		b.first = nil
		f()
	}
	return b.Ledger.Releases(ctx, p)
}

// TestReleaseOfAnotherServerIsNotTakenForWithdrawn: it is published and recorded
// while this server compares what it knows with the ledger.
func TestReleaseOfAnotherServerIsNotTakenForWithdrawn(t *testing.T) {
	w := ready(t, 42)
	keys, err := publish.LoadKeys(w.dir)
	w.must(err)
	now := func() time.Time { return w.Now }
	tree, err := publish.Open(ctx, publish.Options{
		Ledger: w.ledger, Blobs: w.blobs, Keys: keys, Rollouts: noRollouts{}, Now: now, Turn: time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	w.must(err)
	ledger := &beside{Ledger: w.ledger, first: func() { w.must(w.submit(w.Add(w.Release(43)))) }}
	other, err := release.New(release.Options{
		Ledger: ledger, Blobs: w.blobs, Tree: tree, Keys: keys, Master: w.master, Now: now,
		OpenVotes: func(context.Context, vote.Ref) error { return nil },
	})
	w.must(err)
	w.must(other.Reconcile(ctx, "server"))
	r, err := w.ledger.Release(ctx, vote.Ref{Product: releasetest.Phone, Build: 43})
	if w.must(err); ledger.first != nil || r.State != store.ReleasePublished {
		t.Errorf("the release is %s", r.State)
	}
	if _, _, err := other.Live(ctx, r.Ref()); err != nil {
		t.Errorf("the other server does not know of it: %v", err)
	}
}
