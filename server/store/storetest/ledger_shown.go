package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

var errLost = errors.New("another one decided")

// oneThingIsShown: whatever servers find at the turn of a period, they show what
// the first one of them wrote.
func oneThingIsShown(t *testing.T, l store.Ledger) {
	show := func(period time.Time, n int) store.Shown {
		s, err := l.Show(t.Context(), store.Shown{Ref: phone, Period: period, Counts: fmt.Appendf(nil, `{"n":%d}`, n), Hours: []byte(`{"1":2}`)})
		ok(t, err)
		now, err := l.Shown(t.Context(), phone)
		ok(t, err)
		if string(now.Counts) != string(s.Counts) || !now.Period.Equal(s.Period) || now.Ref != phone {
			t.Errorf("shown is %+v, it gave %+v", now, s)
		}
		return s
	}
	_, err := l.Show(t.Context(), store.Shown{Ref: phone, Period: epoch})
	want(t, err, store.ErrNotFound)
	openVotes(t, l)
	_, err = l.Shown(t.Context(), phone)
	want(t, err, store.ErrNotFound)

	won := many(t, errLost, func(i int) error {
		s, err := l.Show(t.Context(), store.Shown{Ref: phone, Period: epoch, Counts: fmt.Appendf(nil, "%d", i)})
		if err == nil && string(s.Counts) != fmt.Sprint(i) {
			err = errLost
		}
		return err
	})
	if won != 1 {
		t.Errorf("%d servers decided what is shown", won)
	}
	first, err := l.Shown(t.Context(), phone)
	ok(t, err)
	if s := show(epoch, 1); string(s.Counts) != string(first.Counts) {
		t.Errorf("within a period %s became %s", first.Counts, s.Counts)
	}
	if s := show(epoch.Add(time.Hour), 2); string(s.Counts) != `{"n":2}` || !s.Period.Equal(epoch.Add(time.Hour)) || string(s.Hours) != `{"1":2}` {
		t.Errorf("the next period shows %+v", s)
	}
	if s := show(epoch, 3); string(s.Counts) != `{"n":2}` {
		t.Errorf("a clock that is behind shows %s", s.Counts)
	}
	show(epoch.AddDate(10, 0, 0), 4)
	if s := show(epoch.Add(2*time.Hour), 5); string(s.Counts) != `{"n":5}` {
		t.Errorf("a clock that was wrong once decides for ever: %s", s.Counts)
	}
	ok(t, l.CloseVotes(t.Context(), phone, entry("votes.close")))
	s, err := l.Shown(t.Context(), phone)
	ok(t, err)
	if string(s.Counts) != `{"n":5}` || len(s.Hours) != 0 {
		t.Errorf("closed votes show %+v", s)
	}
	if s := show(epoch.Add(3*time.Hour), 6); string(s.Counts) != `{"n":6}` || len(s.Hours) != 0 {
		t.Errorf("closed votes show %+v", s)
	}
	_, err = l.Shown(context.Background(), vote.Ref{Product: "phone", Build: 9})
	want(t, err, store.ErrNotFound)
}
