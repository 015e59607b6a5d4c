package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/sqlite"
)

// Ledger says where the ledger is: in ledger.db of the data directory unless
// another engine is named.
type Ledger struct {
	// Postgres keeps it in PostgreSQL.
	Postgres *Postgres `json:"postgres,omitempty"`
}

// Postgres names a database that exists and whose user may make tables in it.
type Postgres struct {
	// URL is postgres://user@host:5432/database?sslmode=verify-full, without a
	// password. Several hosts, separated by commas, are tried in their order
	// until one takes writes.
	URL string `json:"url"`
	// PasswordFile holds the user's password, on one line. Without it the
	// engine must ask for none, or sslcert in the URL must do.
	PasswordFile string `json:"passwordFile,omitempty"`
	// Connections is the most that this server opens: 4 to 1000, 16 if absent.
	// All replicas together must stay below the engine's max_connections.
	Connections int `json:"connections,omitempty"`
}

// ledgers is what OpenLedger gives: a ledger that tells about its groups.
type ledgers interface {
	store.Ledger
	store.Groups
	store.Servers
}

// OpenLedger opens the ledger that f names and brings its tables up to date.
// Each command that needs the ledger opens it here.
func (d Dir) OpenLedger(ctx context.Context, f File) (ledgers, error) {
	if f.Ledger.Postgres == nil {
		return sqlite.Open(ctx, d.Ledger())
	}
	c, err := f.Ledger.Postgres.config()
	if err != nil {
		return nil, err
	}
	return postgres.Open(ctx, c)
}

// LedgerSchema gives the version of the ledger's tables and the newest that
// this program knows, and changes nothing.
func (d Dir) LedgerSchema(ctx context.Context, f File) (has, knows int64, err error) {
	if f.Ledger.Postgres == nil {
		return sqlite.Schema(ctx, d.Ledger())
	}
	c, err := f.Ledger.Postgres.config()
	if err != nil {
		return 0, 0, err
	}
	return postgres.Schema(ctx, c)
}

func (p *Postgres) config() (postgres.Config, error) {
	c := postgres.Config{URL: p.URL, Connections: p.Connections}
	if p.PasswordFile == "" {
		return c, nil
	}
	c.ReadPassword = func() (string, error) {
		data, err := os.ReadFile(p.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("ledger: passwordFile: %w", err)
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	}
	var err error
	c.Password, err = c.ReadPassword()
	return c, err
}

func (f *File) validateLedger(say func(field, format string, args ...any)) {
	p := f.Ledger.Postgres
	if p == nil {
		return
	}
	if err := postgres.CheckURL(p.URL); err != nil {
		if errors.Is(err, postgres.ErrPassword) {
			err = fmt.Errorf("%w; put it into a file of mode 0600 and name that as ledger.postgres.passwordFile", err)
		}
		say("ledger.postgres.url", "%v", err)
	}
	if p.PasswordFile != "" {
		if _, err := os.Stat(p.PasswordFile); err != nil {
			say("ledger.postgres.passwordFile", "%v", err)
		}
	}
	if n := p.Connections; n != 0 && (n < 4 || n > 1000) {
		say("ledger.postgres.connections", "is %d; 4 to 1000 are allowed", n)
	}
}
