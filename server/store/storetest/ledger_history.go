package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

func history(t *testing.T, l store.Ledger, since time.Time) []store.ShownAt {
	t.Helper()
	list, err := l.ShownSince(t.Context(), phone, since)
	ok(t, err)
	return list
}

// historyIsKept: what was shown can be told again, each change of it once, and
// the older it is the coarser.
func historyIsKept(t *testing.T, l store.Ledger) {
	openVotes(t, l)
	if list := history(t, l, time.Time{}); len(list) != 0 {
		t.Errorf("before anything was shown: %v", list)
	}
	totals := func(n int64) store.Totals {
		return store.Totals{Attempts: 9 * n, Healthy: 2 * n, RolledBack: n, Regressions: 3 * n, Declined: 4 * n, NotTried: 5 * n, Due: 6 * n, Silent: 7 * n}
	}
	show := func(at time.Time, n int64) {
		_, err := l.Show(t.Context(), store.Shown{Ref: phone, Period: at, Counts: []byte("{}"), Hours: []byte("{}"), Totals: totals(n)})
		ok(t, err)
	}
	show(epoch, 0)
	if list := history(t, l, time.Time{}); len(list) != 0 {
		t.Errorf("nothing was counted, and kept is %v", list)
	}
	show(epoch.Add(time.Minute), 1)
	show(epoch.Add(time.Minute), 2) // the period is decided
	show(epoch.Add(2*time.Minute), 1)
	show(epoch.Add(3*time.Minute), 3)
	want := []store.ShownAt{{Period: epoch.Add(time.Minute), Totals: totals(1)}, {Period: epoch.Add(3 * time.Minute), Totals: totals(3)}}
	if list := history(t, l, time.Time{}); !slices.Equal(list, want) {
		t.Errorf("kept is %v; want %v", list, want)
	}
	if list := history(t, l, epoch.Add(2*time.Minute)); !slices.Equal(list, want[1:]) {
		t.Errorf("since the second period %v", list)
	}
	other, err := l.ShownSince(t.Context(), vote.Ref{Product: "phone", Build: 9}, time.Time{})
	if err != nil || len(other) != 0 {
		t.Errorf("of another release: %v, %v", other, err)
	}
	show(epoch.AddDate(10, 0, 0), 50) // a clock that was wrong once
	show(epoch.Add(4*time.Minute), 4)
	if list := history(t, l, time.Time{}); len(list) < 2 || !list[len(list)-1].Period.Equal(epoch.Add(4*time.Minute)) {
		t.Errorf("after a wrong clock %v", list)
	}
}

// historyIsBounded: a server that shows new counts each second does not fill the
// ledger.
func historyIsBounded(t *testing.T, l store.Ledger) {
	openVotes(t, l)
	begin := epoch.Truncate(24 * time.Hour)
	n := int64(0)
	show := func(at time.Time) {
		n++
		_, err := l.Show(t.Context(), store.Shown{Ref: phone, Period: at, Counts: []byte("{}"), Hours: []byte("{}"), Totals: store.Totals{Attempts: n, Silent: n}})
		ok(t, err)
	}
	var last store.Totals
	check := func(now time.Time) {
		t.Helper()
		list := history(t, l, time.Time{})
		for i, row := range list {
			age, each := now.Sub(row.Period), time.Second
			switch {
			case age > store.HistoryHours+time.Hour:
				each = 24 * time.Hour
			case age > store.HistoryMinutes+time.Hour:
				each = time.Hour
			case age > store.HistoryWhole+time.Hour:
				each = time.Minute
			}
			if i > 0 && row.Period.Truncate(each).Equal(list[i-1].Period.Truncate(each)) {
				t.Errorf("of %s ago two rows of the same %s are kept", age, each)
			}
		}
		if last = list[len(list)-1].Totals; last.Attempts != n {
			t.Errorf("the last row has %d attempts, shown are %d", last.Attempts, n)
		}
	}
	for i := range 40 { // every second, for a moment, at the beginning of each of 40 hours
		for s := range 5 {
			show(begin.Add(time.Duration(i)*time.Hour + time.Duration(s)*time.Second))
		}
	}
	check(begin.Add(39 * time.Hour))
	if list := history(t, l, begin.Add(39*time.Hour)); len(list) != 5 {
		t.Errorf("%d rows of the last hour are left; none may be thinned out", len(list))
	}
	for day := 2; day < 40; day++ {
		for hour := range 3 {
			show(begin.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour))
		}
	}
	check(begin.AddDate(0, 0, 39))
	ok(t, l.CloseVotes(t.Context(), phone, entry("votes.close")))
	daily(t, history(t, l, time.Time{}))
	show(begin.AddDate(0, 0, 39).Add(4 * time.Hour)) // what came in before they closed
	list := history(t, l, time.Time{})
	daily(t, list)
	if end := list[len(list)-1]; len(list) != 40 || end.Attempts != n || end.Silent != last.Silent {
		t.Errorf("closed votes keep %d rows, the last %+v", len(list), end)
	}
}

func daily(t *testing.T, list []store.ShownAt) {
	t.Helper()
	for i := range list[1:] {
		if list[i].Period.Truncate(24 * time.Hour).Equal(list[i+1].Period.Truncate(24 * time.Hour)) {
			t.Errorf("the votes have closed, and of %s more than a day's last row is kept", list[i].Period)
		}
	}
}
