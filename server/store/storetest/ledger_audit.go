package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
)

func auditIsSearched(t *testing.T, l store.Ledger) {
	for i, e := range []struct {
		who, what, subject string
		after              time.Duration // the epoch
	}{
		{"Ünal Öz (token)", "rollout.create", "7-a", 0},
		{"server", "rollout.halt", "7-a", time.Hour},
		{"Ana_50% (token)", "auth.sign-in", "", 2 * time.Hour},
		{"ana", "rolloutish", "7-b", time.Hour}, // the clock was set back
		{"server", "rollout.halt", "7-b", 3 * time.Hour},
		{"Anax50 (token)", "auth.sign-out", "", 4 * time.Hour},
	} {
		got, err := l.Append(t.Context(), store.Entry{At: epoch.Add(e.after), Who: e.who, What: e.what, Subject: e.subject})
		if ok(t, err); got.Seq != int64(i+1) {
			t.Fatalf("entry %d is number %d", i, got.Seq)
		}
	}
	for name, c := range map[string]struct {
		q    store.EntryQuery
		want []int64
	}{
		"the newest first":              {store.EntryQuery{Newest: true, Limit: 2}, []int64{6, 5}},
		"below a number":                {store.EntryQuery{Newest: true, Before: 5, Limit: 2}, []int64{4, 3}},
		"between":                       {store.EntryQuery{After: 1, Before: 5}, []int64{2, 3, 4}},
		"a kind":                        {store.EntryQuery{What: "rollout.halt"}, []int64{2, 5}},
		"a family":                      {store.EntryQuery{What: "rollout.", Newest: true}, []int64{5, 2, 1}},
		"a family, a page":              {store.EntryQuery{What: "rollout.", Newest: true, Limit: 2}, []int64{5, 2}},
		"a family, between":             {store.EntryQuery{What: "rollout", After: 1, Before: 5}, []int64{2, 4}},
		"a kind that there is not":      {store.EntryQuery{What: "hook."}, nil},
		"kinds are not patterns":        {store.EntryQuery{What: "rollout%"}, nil},
		"a name in any case":            {store.EntryQuery{Who: "ANA"}, []int64{3, 4, 6}},
		"a name with other letters":     {store.EntryQuery{Who: "Ünal Ö"}, []int64{1}},
		"names are not patterns":        {store.EntryQuery{Who: "a_50%"}, []int64{3}},
		"who and what and to whom":      {store.EntryQuery{Who: "server", What: "rollout.", Subject: "7-b"}, []int64{5}},
		"to whom, the newest first":     {store.EntryQuery{Subject: "7-a", Newest: true}, []int64{2, 1}},
		"nobody":                        {store.EntryQuery{Who: `\`}, nil},
		"a name and a kind, below that": {store.EntryQuery{Who: "ana", What: "auth.", Newest: true, Before: 6}, []int64{3}},
	} {
		list, err := l.Entries(t.Context(), c.q)
		ok(t, err)
		var have []int64
		for _, e := range list {
			have = append(have, e.Seq)
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: %v, not %v", name, have, c.want)
		}
	}
	for _, c := range []struct {
		since, until time.Duration // after the epoch; below 0 is no bound
		first, last  int64
	}{
		{time.Hour, 2 * time.Hour, 2, 4},
		{2 * time.Hour, -1, 3, -1},
		{-1, 0, 1, 1},
		{3 * time.Hour, 3 * time.Hour, 5, 5},
		{150 * time.Minute, 160 * time.Minute, 5, 4},
		{5 * time.Hour, -1, -1, -1},
	} {
		at := func(d time.Duration) time.Time {
			if d < 0 {
				return time.Time{}
			}
			return epoch.Add(d)
		}
		first, last, err := l.AuditBetween(t.Context(), at(c.since), at(c.until))
		ok(t, err)
		if c.first >= 0 && first != c.first || c.first < 0 && first < 7 || c.last >= 0 && last != c.last || c.last < 0 && last < 7 {
			t.Errorf("from %s to %s: %d to %d, not %d to %d", c.since, c.until, first, last, c.first, c.last)
		}
	}
	for i := range 45 { // more kinds than are looked up one by one
		_, err := l.Append(t.Context(), store.Entry{At: epoch.Add(time.Hour), Who: "server", What: fmt.Sprintf("rollout.kind-%d", i)})
		ok(t, err)
	}
	list, err := l.Entries(t.Context(), store.EntryQuery{What: "rollout.", Newest: true})
	if ok(t, err); len(list) != 48 || list[47].Seq != 1 {
		t.Errorf("%d entries", len(list))
	}
}
