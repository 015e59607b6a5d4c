package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// newest is the last migration that this program knows.
const newest = 12

// ErrTooNew means that a newer server has brought the tables to where this one
// cannot work on them.
var ErrTooNew = errors.New("this server is too old for the ledger")

// Migrate brings the tables up to date. Tables that a newer server has brought
// further are fine as long as its migrations only added (schema_rule): servers
// of two versions work side by side while one after the other is replaced.
func Migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, options ...goose.ProviderOption) error {
	p, err := provider(db, dialect, options...)
	if err != nil {
		return err
	}
	if err := fits(ctx, p, db); err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// provider knows every migration.
func provider(db *sql.DB, dialect goose.Dialect, options ...goose.ProviderOption) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db, dir, append(options, goose.WithGoMigrations(marksMigration(), pagesMigration(dialect)))...)
}

// fits refuses tables that this server cannot work on.
func fits(ctx context.Context, p *goose.Provider, db *sql.DB) error {
	have, know, err := p.GetVersions(ctx)
	if err != nil || have <= know {
		return err
	}
	var least int64
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(least), 0) FROM schema_rule`).Scan(&least); err != nil {
		return err
	}
	if know < least {
		return fmt.Errorf("%w: its tables are at migration %d and need servers that know %d; this one knows %d. Start a newer one", ErrTooNew, have, least, know)
	}
	return nil
}
