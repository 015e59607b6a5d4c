// Package postgres keeps the ledger in PostgreSQL, or in what speaks its wire
// and passes the same suite: for several servers on one ledger, and for fleets
// that outgrow one machine. What is asked and written is in package relational.
//
// Promises. Each new connection is asked whether a commit is on disk when it
// returns (synchronous_commit, fsync, full_page_writes) and is refused if not:
// an acknowledged vote must not be lost. A server that only reads is passed
// over, so that a URL with several hosts finds the primary after a failover.
//
// Order. Ordered writes take one advisory lock until they end, so the replicas
// write one after another; votes take one that is shared, per release. A
// replica that is frozen in the middle of a transaction is thrown out by the
// engine after a few seconds, and its locks with it.
//
// Failure. Transactions that were lost to others, to a restart or to a network
// that is gone are repeated for a few seconds; then store.ErrUnavailable. A
// full disk is store.ErrUnavailable at once. No error and no log names the
// password.
//
// What is withdrawn is deleted at once, and gone from the tables within
// minutes (autovacuum, which Open asks for per table); it stays in the
// write-ahead log and in backups for as long as these are kept.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

// DefaultConnections is how many connections a server opens at most; see Config.
const DefaultConnections = 16

// Config says where the database is. It exists, and its user may make tables.
type Config struct {
	// URL is postgres://user@host:5432/database?sslmode=verify-full, or
	// keyword=value pairs, as libpq takes them. Several hosts may be named.
	URL string
	// Password of the user; empty where the server asks for none.
	Password string
	// ReadPassword, if set, gives the password for each new connection, so that
	// it can be changed while the server runs.
	ReadPassword func() (string, error)
	// Connections is the most that this server opens, and one more that
	// listens; DefaultConnections if 0, at least 4. A quarter of them write,
	// one counts votes, the others read.
	Connections int
}

// Ledger is a store.Ledger in PostgreSQL.
type Ledger struct {
	*relational.Ledger
	config *pgx.ConnConfig
	renew  func(context.Context, *pgx.ConnConfig) error
}

var _ store.Ledger = (*Ledger)(nil)

// Open connects and brings the tables up to date.
func Open(ctx context.Context, c Config) (*Ledger, error) {
	config, err := connection(c)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l, err := connect(ctx, config, c)
	if err != nil {
		_, told := dialect{}.Judge(err)
		return nil, fmt.Errorf("open ledger in PostgreSQL: %w", told)
	}
	return &Ledger{Ledger: l, config: config, renew: c.renew}, nil
}

func connect(ctx context.Context, config *pgx.ConnConfig, c Config) (*relational.Ledger, error) {
	connections := c.Connections
	if connections == 0 {
		connections = DefaultConnections
	}
	connections = max(connections, 4)
	writers := connections / 4
	pool := func(n int, config *pgx.ConnConfig) *sql.DB {
		db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(checkDurable), stdlib.OptionBeforeConnect(c.renew))
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		db.SetConnMaxIdleTime(5 * time.Minute)
		return db
	}
	writer := pool(writers, config)
	if err := prepare(ctx, writer); err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return relational.New(ctx, relational.Engine{
		Writer: writer, Counter: pool(1, counting(config)), Reader: pool(connections-writers-1, config),
		Snapshot: sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, Dialect: dialect{},
	})
}

// counting is the connection that writes groups: it only looks rows up.
func counting(config *pgx.ConnConfig) *pgx.ConnConfig {
	c := config.Copy()
	for _, other := range []string{"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"} {
		c.RuntimeParams[other] = "off"
	}
	return c
}

// migrationTime is how long a server waits for another one that brings the tables
// up to date: with a large ledger it is at that for many minutes. It looks each
// second, since most have nothing to do.
const migrationTime = time.Hour

// prepare makes the tables; one replica does, the others wait for it.
func prepare(ctx context.Context, db *sql.DB) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(migrationTime/time.Second)))
	if err != nil {
		return err
	}
	if err := relational.Migrate(ctx, db, goose.DialectPostgres, goose.WithSessionLocker(locker)); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return forgetSoon(ctx, db)
}

// forgetSoon asks that rows which were deleted for somebody's sake leave the
// files at the next look of autovacuum, indexes included, and not after many.
func forgetSoon(ctx context.Context, db *sql.DB) error {
	var autovacuum string
	if err := db.QueryRowContext(ctx, `SELECT current_setting('autovacuum', true)`).Scan(&autovacuum); err != nil {
		return err
	}
	if autovacuum == "off" {
		return errors.New("autovacuum is off, so what handsets withdraw would stay in the files; turn it on")
	}
	for _, table := range []string{"enrolments", "vote_issues", "vote_marks", "vote_hours"} {
		var done bool
		err := db.QueryRowContext(ctx, `SELECT COALESCE('autovacuum_vacuum_threshold=0' = ANY (reloptions), FALSE)
			FROM pg_class WHERE oid = $1::regclass`, table).Scan(&done)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		_, err = db.ExecContext(ctx, `ALTER TABLE `+table+` SET
			(autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0, vacuum_index_cleanup = on)`)
		if err != nil {
			return err
		}
	}
	return nil
}
