package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// rolloutsArePaged: a list that is read page by page has everything once, also
// while rollouts are made.
func rolloutsArePaged(t *testing.T, l store.Ledger) {
	seed(t, l)
	ok(t, l.AddProduct(t.Context(), store.Product{Name: "tablet", Created: epoch}, entry("product.add")))
	add := func(id string, product manifests.Product, build manifests.Build, version, state string, created time.Time) {
		r := testRelease(vote.Ref{Product: product, Build: build})
		r.Version = version
		if _, err := l.Release(t.Context(), r.Ref()); err != nil {
			ok(t, l.AddRelease(t.Context(), r, entry("release.add")))
			ok(t, l.MoveRelease(t.Context(), r.Ref(), store.ReleaseStaged, store.ReleasePublished, entry("release.publish")))
		}
		_, err := l.AddRollout(t.Context(), store.Rollout{
			ID: id, Product: product, Build: build, State: state, Created: created, Updated: created,
			Document: fmt.Appendf(nil, `{"plan":{"channel":"%s"}}`, []string{"stable", "beta"}[build%2]),
		}, entry("rollout.add"))
		ok(t, err)
	}
	var want []string
	for i := range 9 { // three at each moment
		id := fmt.Sprintf("%d-x", 50+i)
		add(id, "phone", manifests.Build(50+i), fmt.Sprintf("5.%d-Beta", i), []string{"active", "complete", "draft"}[i%3], epoch.Add(time.Duration(i/3)*time.Hour))
		want = append([]string{id}, want...)
	}
	add("7-y", "tablet", 7, "1.0", "active", epoch.Add(-time.Hour))
	want = append(want, "7-y")

	page := func(q store.RolloutQuery) (ids []string, last store.RolloutMark) {
		list, err := l.RolloutPage(t.Context(), q)
		ok(t, err)
		for _, r := range list {
			ids, last = append(ids, r.ID), r.Mark()
		}
		return ids, last
	}
	is := func(q store.RolloutQuery, want ...string) {
		t.Helper()
		if got, _ := page(q); !slices.Equal(got, want) {
			t.Errorf("%+v gives %v; want %v", q, got, want)
		}
	}
	is(store.RolloutQuery{}, want...)
	var all []string
	q := store.RolloutQuery{Limit: 4}
	for range want {
		ids, last := page(q)
		all, q.Before = append(all, ids...), last
		add(fmt.Sprintf("43-n%d", len(all)), "phone", 43, "4.3", "draft", epoch.Add(100*time.Hour)) // somebody makes one meanwhile
		if len(ids) < q.Limit {
			break
		}
	}
	if !slices.Equal(all, want) {
		t.Errorf("page by page %v; want %v", all, want)
	}
	everything, _ := page(store.RolloutQuery{})
	is(store.RolloutQuery{States: []string{"active"}}, "56-x", "53-x", "50-x", "7-y")
	is(store.RolloutQuery{Products: []manifests.Product{"phone"}, States: []string{"active", "complete"}, Limit: 3}, "57-x", "56-x", "54-x")
	is(store.RolloutQuery{Products: []manifests.Product{"phone"}, Build: 55}, "55-x")
	is(store.RolloutQuery{Products: []manifests.Product{"tablet"}, Build: 55})
	both := []manifests.Product{"tablet", "phone"}
	is(store.RolloutQuery{Products: both}, everything...)
	is(store.RolloutQuery{Products: both, States: []string{"active"}, Limit: 2}, "56-x", "53-x")
	is(store.RolloutQuery{Products: both, Channel: "beta", Search: "5"}, "57-x", "55-x", "53-x", "51-x")
	is(store.RolloutQuery{Products: both, Channel: "beta", States: []string{"active"}, Before: store.RolloutMark{Created: epoch.Add(time.Hour), ID: "0"}}, "7-y")
	is(store.RolloutQuery{Products: []manifests.Product{"none"}})
	is(store.RolloutQuery{Channel: "beta", Search: "5", Limit: 2}, "57-x", "55-x")
	is(store.RolloutQuery{Products: []manifests.Product{"phone"}, Channel: "stable", States: []string{"complete"}}, "54-x")
	is(store.RolloutQuery{Channel: "none"})
	is(store.RolloutQuery{Search: "55"}, "55-x")
	is(store.RolloutQuery{Search: "5.5-b"}, "55-x")
	is(store.RolloutQuery{Search: "55-X"}, "55-x")
	is(store.RolloutQuery{Search: "7"}, "7-y")
	for _, nothing := range []string{"%", "_", "x", "5%", `\`, "'", strings.Repeat("5", 64), "ж"} {
		is(store.RolloutQuery{Search: nothing})
	}

	below, err := l.RolloutsBelow(t.Context(), vote.Ref{Product: "phone", Build: 57}, []string{"complete", "active"}, 3)
	ok(t, err)
	var ids []string
	for _, r := range below {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []string{"56-x", "54-x", "53-x"}) {
		t.Errorf("below build 57 are %v", ids)
	}
	moved, err := l.Rollout(t.Context(), "50-x")
	ok(t, err)
	for _, state := range []string{"held", "active"} {
		moved.State = state
		moved, err = l.UpdateRollout(t.Context(), moved, entry("rollout.move"))
		ok(t, err)
	}
	counts, err := l.RolloutCounts(t.Context())
	ok(t, err)
	if _, held := counts["phone"]["held"]; held {
		t.Error("what is nowhere any more is counted")
	}
	if counts["phone"]["active"] != 3 || counts["phone"]["complete"] != 3 || counts["tablet"]["active"] != 1 || counts["tablet"]["draft"] != 0 {
		t.Errorf("counted %v", counts)
	}
	before, err := l.ReleaseBelow(t.Context(), vote.Ref{Product: "phone", Build: 55})
	if ok(t, err); before.Build != 54 {
		t.Errorf("before build 55 is %d", before.Build)
	}
	// Nobody was shown build 43, which is staged.
	for _, lowest := range []vote.Ref{{Product: "phone", Build: 50}, {Product: "tablet", Build: 7}, {Product: "none", Build: 7}} {
		if r, err := l.ReleaseBelow(t.Context(), lowest); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("before %s is %d, %v", lowest, r.Build, err)
		}
	}
	newest, err := l.NewestReleases(t.Context(), "phone", 2)
	ok(t, err)
	if len(newest) != 2 || newest[0].Build != 58 || newest[1].Build != 57 {
		t.Errorf("the newest releases are %v", newest)
	}
}
