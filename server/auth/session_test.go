package auth_test

import (
	"testing"
	"time"

	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

func TestNobodysSessionsAreNotEverybodys(t *testing.T) {
	l, _ := ledger(t)
	line := store.Entry{At: now, Who: "test", What: "auth.sign-in"}
	s := store.Session{ID: "a", Person: "li", Created: now, Seen: now, Expires: now.Add(time.Hour)}
	if err := l.AddSession(t.Context(), s, line); err != nil {
		t.Fatal(err)
	}
	p := &auth.People{Ledger: l, Now: func() time.Time { return now }}
	if n, err := p.EndSessions(t.Context(), store.SessionQuery{}, auth.Identity{Name: "x"}); n != 0 || err != nil {
		t.Errorf("%d sessions ended, %v", n, err)
	}
}
