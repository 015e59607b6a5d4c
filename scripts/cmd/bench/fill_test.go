package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	voting "github.com/candor-ota/candor/server/votes"
)

// What the benches write past the service is what the service reads.
func TestFilledLedgerIsOneThatServiceReads(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	file := filepath.Join(t.TempDir(), "ledger.db")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ledger, err := sqlite.Create(ctx, file)
	must(err)
	service := func() *voting.Service {
		never := func(context.Context, vote.Ref) (bool, error) { return false, nil }
		s, err := voting.New(voting.Config{Master: vote.Master{1}, Ledger: ledger, Now: time.Now, Random: rand.Reader, FirstStage: never})
		must(err)
		return s
	}
	entry := store.Entry{At: now, Who: "test", What: "test"}
	ca, err := voting.NewBatchCA(rand.Reader, "world", now.Add(-time.Hour))
	must(err)
	must(ledger.AddProduct(ctx, store.Product{Name: benchRef.Product, Created: now}, entry))
	must(ledger.AddRelease(ctx, store.Release{Product: benchRef.Product, Build: benchRef.Build, State: store.ReleasePublished, Submitted: now}, entry))
	must(ledger.AddBatch(ctx, store.Batch{Name: "world", CA: ca.Certificate, DailyCap: 10, Created: now}, entry))
	must(service().OpenRelease(ctx, benchRef))
	_, err = ledger.AddRollout(ctx, store.Rollout{ID: "one", Product: benchRef.Product, Build: benchRef.Build, State: "active", Document: json.RawMessage(`{"plan":{"channel":"stable"},"state":"active"}`), Created: now, Updated: now}, entry)
	must(err)
	must(ledger.Close())

	must(fill(ctx, file, amount{handsets: 1000, rollouts: 100, releases: 5}))
	ledger, err = sqlite.Open(ctx, file)
	must(err)
	defer func() { must(ledger.Close()) }()
	rollouts, err := ledger.Rollouts(ctx, benchRef.Product)
	must(err)
	live := 0
	for _, r := range rollouts {
		if r.State == "active" {
			live++
		}
	}
	releases, err := ledger.Releases(ctx, benchRef.Product)
	must(err)
	if len(rollouts) != 100 || live != mostLive || len(releases) != 5 {
		t.Errorf("%d rollouts, %d of them live, %d releases", len(rollouts), live, len(releases))
	}
	// A vote finds its place among the marks.
	master := vote.Master{1}
	key, err := master.Key(benchRef, vote.Trial, vote.Primary)
	must(err)
	votes := service()
	b, err := newBallot(ctx, votes, ca, key)
	must(err)
	_, err = votes.Issue(ctx, b.issue)
	must(err)
	must(votes.Cast(ctx, &b.cast))
	must(votes.Cast(ctx, &b.cast))
}

func TestSlope(t *testing.T) {
	for _, c := range []struct{ values, want float64 }{{0, 0}, {1, 1}, {2, 2}} {
		var v []float64
		sizes := []int{1, 10, 1000}
		for _, n := range sizes {
			x := 3.0
			for range int(c.values) {
				x *= float64(n)
			}
			v = append(v, x)
		}
		if got := slope(sizes, v); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}
