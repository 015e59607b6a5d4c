package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/storetest"
)

var (
	ref   = vote.Ref{Product: "phone", Build: 43}
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	line  = store.Entry{At: epoch, Who: "li", What: "test"}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, p *storetest.Postgres, url string) *postgres.Ledger {
	t.Helper()
	l, err := postgres.Open(t.Context(), postgres.Config{URL: url, Password: p.Password})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func TestConformance(t *testing.T) {
	p := storetest.StartPostgres(t)
	empty, err := p.NewDatabase(t.Context())
	must(t, err)
	must(t, open(t, p, p.URL(empty)).Close())
	urls := map[store.Ledger]string{}
	fresh := func(t *testing.T) store.Ledger {
		url := p.Copy(t, empty) // copying is faster than making the tables anew
		l := open(t, p, url)
		urls[l] = url
		return l
	}
	storetest.Ledger(t, fresh, func(t *testing.T, l store.Ledger) store.Ledger {
		must(t, l.Close())
		return open(t, p, urls[l])
	})
}

func TestEngineThatCouldLoseWritesRefused(t *testing.T) {
	p := storetest.StartPostgres(t)
	for _, setting := range []string{"synchronous_commit=off", "synchronous_commit=local", "synchronous_commit=remote_write"} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: p.Database(t) + "&" + setting, Password: p.Password})
		if err == nil || !strings.Contains(err.Error(), "synchronous_commit is ") {
			t.Errorf("%s: got %v; want a refusal that names it", setting, err)
		}
	}
	must(t, p.Stop())
	for _, setting := range []string{"fsync", "full_page_writes", "autovacuum"} {
		p := storetest.StartPostgres(t, setting+"=off")
		_, err := postgres.Open(t.Context(), postgres.Config{URL: p.Database(t), Password: p.Password})
		if err == nil || !strings.Contains(err.Error(), setting+" is off") {
			t.Errorf("%s=off: got %v; want a refusal that names it", setting, err)
		}
	}
}

// The setting is that of a role or a database, so it can change while the
// server runs; each connection is asked.
func TestEngineThatTurnsWeakIsLeft(t *testing.T) {
	p := storetest.StartPostgres(t)
	name, err := p.NewDatabase(t.Context())
	must(t, err)
	l := open(t, p, p.URL(name))
	must(t, l.AddProduct(t.Context(), store.Product{Name: "a", Created: epoch}, line))
	must(t, p.Do(t.Context(), "postgres", "ALTER DATABASE "+name+" SET synchronous_commit = off",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'"))
	err = l.AddProduct(t.Context(), store.Product{Name: "b", Created: epoch}, line)
	if err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") {
		t.Errorf("got %v; want a refusal", err)
	}
	must(t, p.Do(t.Context(), "postgres", "ALTER DATABASE "+name+" RESET synchronous_commit"))
	must(t, l.AddProduct(t.Context(), store.Product{Name: "b", Created: epoch}, line))
}

func TestNoErrorNamesThePassword(t *testing.T) {
	p := storetest.StartPostgres(t)
	url := p.Database(t)
	const secret = "hunter2 of the test"
	_, wrong := postgres.Open(t.Context(), postgres.Config{URL: url, Password: secret})
	_, broken := postgres.Open(t.Context(), postgres.Config{URL: "postgres://candor:hunter2@[broken/db", Password: secret})
	must(t, p.Stop())
	_, down := postgres.Open(t.Context(), postgres.Config{URL: url, Password: secret})
	for _, err := range []error{wrong, broken, down} {
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
	if !errors.Is(down, store.ErrUnavailable) {
		t.Errorf("got %v; want that it cannot be reached", down)
	}
}
