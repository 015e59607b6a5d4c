package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/storetest"
)

const (
	keptMarks     = 200_000
	keptEnrolment = 1_000_000
)

// engine is where a ledger is, and what is asked of it past the product.
type engine struct {
	name, config string
	open         func(ctx context.Context, w *world.World) (*sql.DB, error)
	marks        string // bytes of all marks and their index
	enrol        string // keptEnrolment rows
}

func onSQLite() engine {
	return engine{
		name: "SQLite",
		open: func(_ context.Context, w *world.World) (*sql.DB, error) {
			return sql.Open("sqlite", "file:"+w.Path("data", "ledger.db")+"?_pragma=busy_timeout(10000)")
		},
		marks: `SELECT SUM(pgsize) FROM dbstat WHERE name IN ('vote_marks', 'sqlite_autoindex_vote_marks_1')`,
		enrol: `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			INSERT INTO enrolments (device_key, batch, day) SELECT randomblob(32), 'world', 20000 FROM n`,
	}
}

func onPostgres(ctx context.Context, p *storetest.Postgres, passwordFile string) (engine, error) {
	database, err := p.NewDatabase(ctx)
	if err != nil {
		return engine{}, err
	}
	text, err := p.Configure(database, passwordFile)
	return engine{
		name: "PostgreSQL", config: text,
		open: func(ctx context.Context, _ *world.World) (*sql.DB, error) {
			conn, err := p.Connect(ctx, database)
			if err != nil {
				return nil, err
			}
			c := conn.Config()
			return stdlib.OpenDB(*c), conn.Close(ctx)
		},
		marks: `SELECT pg_total_relation_size('vote_marks')`,
		enrol: `INSERT INTO enrolments (device_key, batch, day) SELECT sha256(i::text::bytea), 'world', 20000 FROM generate_series(1, $1) i`,
	}, err
}

// kept measures what the ledger keeps: the bytes of a mark, and how long a
// server takes to start on a million enrolments.
func (e engine) kept(ctx context.Context, w *world.World) (rows []figure.Row, err error) {
	db, err := e.open(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := spendMarks(ctx, config.Dir(w.Path("data"))); err != nil {
		return nil, err
	}
	var bytes float64
	if err := db.QueryRowContext(ctx, e.marks).Scan(&bytes); err != nil {
		return nil, fmt.Errorf("size of the marks: %w", err)
	}
	if _, err := db.ExecContext(ctx, e.enrol, keptEnrolment); err != nil {
		return nil, fmt.Errorf("enrolments: %w", err)
	}
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := w.StartServer(ctx); err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.AtMost("a spent mark with its index, "+e.name, bytes/(keptMarks+votesFlatOut+votesSteady), "bytes", 30),
		figure.AtMost("restart to serving with 1,000,000 enrolments", time.Since(began).Seconds(), "s", 2),
	}, nil
}

// spendMarks casts votes past the server, so that no token has to be made.
func spendMarks(ctx context.Context, d config.Dir) error {
	f, err := d.Load()
	if err != nil {
		return err
	}
	l, err := d.OpenLedger(ctx, f)
	if err != nil {
		return err
	}
	_, _, err = drive(keptMarks, 512, func(int) error {
		b := store.Ballot{Ref: benchRef, Set: vote.Primary, Class: vote.Trial}
		if _, err := rand.Read(b.Nullifier[:]); err != nil {
			return err
		}
		return l.CastVote(ctx, b)
	})
	return errors.Join(err, l.Close())
}
