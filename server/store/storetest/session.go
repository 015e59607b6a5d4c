package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

func testLogin(name string) store.Login {
	return store.Login{Hash: manifests.SumSHA256([]byte(name)), Next: "/" + name, Expires: epoch.Add(10 * time.Minute)}
}

func loginIsTakenOnce(t *testing.T, l store.Ledger) {
	v := testLogin("a")
	ok(t, l.AddLogin(t.Context(), v, 10, epoch))
	want(t, l.AddLogin(t.Context(), v, 10, epoch), store.ErrExists)
	taken := many(t, store.ErrNotFound, func(int) error {
		got, err := l.TakeLogin(t.Context(), v.Hash)
		if err == nil && got != v {
			return fmt.Errorf("got %+v", got)
		}
		return err
	})
	if taken != 1 {
		t.Errorf("one attempt was finished %d times", taken)
	}
}

func loginsAreBounded(t *testing.T, l store.Ledger) {
	for i := range 3 {
		ok(t, l.AddLogin(t.Context(), testLogin(fmt.Sprint(i)), 3, epoch))
	}
	want(t, l.AddLogin(t.Context(), testLogin("x"), 3, epoch), store.ErrFull)
	later := testLogin("x")
	later.Expires = epoch.Add(time.Hour)
	ok(t, l.AddLogin(t.Context(), later, 3, epoch.Add(10*time.Minute)))
	_, err := l.TakeLogin(t.Context(), testLogin("0").Hash)
	want(t, err, store.ErrNotFound)
}

func testSession(id, person string) store.Session {
	return store.Session{
		ID: id, Hash: manifests.SumSHA256([]byte(id)), Person: person, Issuer: "https://id.example.org", Name: "Li",
		Groups: []string{"a", "b"}, Token: "t-" + id, Created: epoch, Seen: epoch, Expires: epoch.Add(24 * time.Hour),
	}
}

func same(a, b store.Session) bool {
	groups := slices.Equal(a.Groups, b.Groups)
	a.Groups, b.Groups = nil, nil
	return groups && fmt.Sprint(a) == fmt.Sprint(b)
}

func sessionsAreFoundByHash(t *testing.T, l store.Ledger) {
	a := testSession("a", "li")
	ok(t, l.AddSession(t.Context(), a, entry("auth.sign-in")))
	want(t, l.AddSession(t.Context(), a, entry("auth.sign-in")), store.ErrExists)
	got, err := l.SessionByHash(t.Context(), a.Hash)
	ok(t, err)
	if !same(got, a) {
		t.Errorf("got %+v", got)
	}
	_, err = l.SessionByHash(t.Context(), manifests.SumSHA256([]byte("nobody")))
	want(t, err, store.ErrNotFound)
	seen := epoch.Add(time.Hour)
	ok(t, l.TouchSession(t.Context(), "a", seen))
	ok(t, l.TouchSession(t.Context(), "a", epoch))
	ok(t, l.TouchSession(t.Context(), "z", epoch))
	if got, err = l.SessionByHash(t.Context(), a.Hash); err != nil || !got.Seen.Equal(seen) {
		t.Errorf("seen %s, %v", got.Seen, err)
	}
	late := testSession("b", "li")
	late.Created = a.Expires
	ok(t, l.AddSession(t.Context(), late, entry("auth.sign-in")))
	_, err = l.SessionByHash(t.Context(), a.Hash)
	want(t, err, store.ErrNotFound)
	if count(t, l) != 2 {
		t.Errorf("%d entries", count(t, l))
	}
}

func sessionsEnd(t *testing.T, l store.Ledger) {
	for id, person := range map[string]string{"a": "li", "b": "li", "c": "li", "d": "wei"} {
		ok(t, l.AddSession(t.Context(), testSession(id, person), entry("auth.sign-in")))
	}
	before := count(t, l)
	for _, c := range []struct {
		q           store.SessionQuery
		ended, left int
	}{
		{store.SessionQuery{ID: "d", Person: "li"}, 0, 4},
		{store.SessionQuery{ID: "a", Person: "li"}, 1, 3},
		{store.SessionQuery{ID: "a"}, 0, 3},
		{store.SessionQuery{Person: "li"}, 2, 1},
	} {
		n, err := l.EndSessions(t.Context(), c.q, entry("auth.sign-out"))
		ok(t, err)
		list, err := l.SessionList(t.Context(), store.SessionQuery{})
		ok(t, err)
		if n != c.ended || len(list) != c.left {
			t.Errorf("%+v: %d ended, %d left", c.q, n, len(list))
		}
	}
	if got := count(t, l) - before; got != 2 {
		t.Errorf("%d entries", got)
	}
	list, err := l.SessionList(t.Context(), store.SessionQuery{Person: "wei"})
	ok(t, err)
	if len(list) != 1 || !same(list[0], testSession("d", "wei")) {
		t.Errorf("%+v", list)
	}
}
