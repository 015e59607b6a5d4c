package postgres_test

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/storetest"
)

// TestPasswordIsChangedWithoutARestart ends every connection after the role has
// another password: what connects anew knows it.
func TestPasswordIsChangedWithoutARestart(t *testing.T) {
	p := storetest.StartPostgres(t)
	name, err := p.NewDatabase(t.Context())
	must(t, err)
	must(t, p.Do(t.Context(), "postgres", `CREATE ROLE rotating LOGIN PASSWORD 'first'`, `ALTER DATABASE `+name+` OWNER TO rotating`))
	u, err := url.Parse(p.URL(name))
	must(t, err)
	u.User = url.User("rotating")
	var password atomic.Value
	password.Store("first")
	l, err := postgres.Open(t.Context(), postgres.Config{URL: u.String(), ReadPassword: func() (string, error) { return password.Load().(string), nil }})
	must(t, err)
	defer func() { must(t, l.Close()) }()
	must(t, l.Ping(t.Context()))
	rotate := []string{
		`ALTER ROLE rotating PASSWORD 'second'`,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotating'`,
	}
	must(t, p.Do(t.Context(), "postgres", rotate...))
	if err := l.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "first") {
		t.Errorf("with the old password: %v", err)
	}
	password.Store("second")
	must(t, l.Ping(t.Context()))
	if _, err := l.Products(t.Context()); err != nil {
		t.Error(err)
	}
}
