package storetest

import (
	"testing"

	"github.com/candor-ota/candor/server/store"
)

// groupsAreTold: each vote is in one group that is told of, and none waits at
// the end.
func groupsAreTold(t *testing.T, l store.Ledger) {
	g, ok := l.(store.Groups)
	if !ok {
		t.Fatalf("%T tells nothing of its groups", l)
	}
	openVotes(t, l)
	const n = 50
	groups := make(chan store.Commit, n) // room for the worst: a group for each
	g.OnCommit(func(c store.Commit) { groups <- c })
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- l.CastVote(t.Context(), ballot(i)) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	writes := 0
	for writes < n {
		c := <-groups
		if c.Err != nil || c.Took <= 0 || c.Writes < 1 {
			t.Fatalf("a group of %+v", c)
		}
		writes += c.Writes
	}
	if writes != n || g.Queued() != 0 {
		t.Errorf("%d writes were told of, %d wait", writes, g.Queued())
	}
}
