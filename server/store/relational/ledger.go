// Package relational is the ledger on an SQL engine: every query, every
// transaction and the group commit of the votes. The packages sqlite and
// postgres open a database, check that it keeps what it acknowledges, bring
// its tables up to date, and hand it over here with the little that each does
// in its own way (Dialect).
//
// The SQL and the migrations are the same on both: $1 placeholders, times as
// BIGINT Unix seconds, JSON as TEXT, no arrays. Each noun of package store has
// a file of its name here.
//
// Order. A write that reads before it writes is ordered: it runs alone among
// the ordered ones of all replicas, so that what it read is still so when it
// commits, and the audit log stays one chain. Enrolments and uploads guard
// themselves row by row and run beside them. Votes are written in groups
// (group.go) and wait for nobody but the closing of their own release.
//
// Failure. What an engine lost to another transaction or to a lost connection
// is repeated for a while (tx.go), as long as nothing can have been written;
// after that the caller is told, and store.ErrUnavailable when the engine
// cannot be reached.
package relational

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/candor-ota/candor/server/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Engine is a database whose tables are up to date.
type Engine struct {
	Writer  *sql.DB // write transactions begin here
	Counter *sql.DB // and those of the votes here; may be the Writer
	Reader  *sql.DB
	// Snapshot begins a transaction that reads as of one moment.
	Snapshot sql.TxOptions
	Dialect  Dialect
}

// Ledger is a store.Ledger on an engine.
type Ledger struct {
	writer   *sql.DB
	counter  *sql.DB
	reader   reader
	snapshot sql.TxOptions
	dialect  Dialect
	group    *group
	hot      hot
	entry    atomic.Pointer[func()] // see OnEntry
}

var (
	_ store.Ledger = (*Ledger)(nil)
	_ store.Groups = (*Ledger)(nil)
)

// New makes a ledger, which owns the databases of e from then on; with an
// error they are closed.
func New(ctx context.Context, e Engine) (*Ledger, error) {
	l := &Ledger{
		writer: e.Writer, counter: e.Counter, reader: reader{e.Reader, e.Dialect}, snapshot: e.Snapshot, dialect: e.Dialect,
	}
	if err := l.hot.prepare(ctx, l.reader); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.group = newGroup(newCounter(l).write)
	return l, nil
}

// OnEntry has f called after each entry of the audit log that this process has
// written. f must not block; the last one holds.
func (l *Ledger) OnEntry(f func()) { l.entry.Store(&f) }

// wrote tells that an entry is in.
func (l *Ledger) wrote() {
	if f := l.entry.Load(); f != nil {
		(*f)()
	}
}

// Ping reads.
func (l *Ledger) Ping(ctx context.Context) error {
	count := func(r row) (n int, err error) { return n, r.Scan(&n) }
	if _, err := one(ctx, l.reader, count, "SELECT 1 FROM goose_db_version LIMIT 1"); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// Close finishes the votes that wait and closes the database; again is fine.
func (l *Ledger) Close() error {
	if l.group != nil {
		l.group.close()
	}
	return errors.Join(l.hot.close(), l.reader.Close(), l.counter.Close(), l.writer.Close())
}
