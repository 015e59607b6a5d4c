// Package sqlite keeps the ledger in one SQLite file: the embedded default.
//
// The file runs in WAL mode with synchronous=FULL, so a commit is on disk when
// it returns; Open refuses anything less. One connection writes, a few read.
// Votes and issue records are written in groups (group.go), everything else in
// a transaction of its own. Deleted rows are overwritten (secure_delete), and
// closing the votes of a release truncates the log that still held them.
//
// The SQL uses $1 placeholders and the types of both engines, so that it and
// the migrations can run on PostgreSQL too. Each noun of package store has a
// file of its name here.
//
// Failure: a crash loses nothing that was acknowledged; a full disk fails the
// write and leaves what was there; a damaged file fails Open.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/candor-ota/candor/server/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

const readers = 4

// Ledger is a store.Ledger in one file.
type Ledger struct {
	writer *sql.DB // one connection: SQLite has one writer
	reader *sql.DB
	group  *group
	hot    hot
}

var (
	_ store.Ledger = (*Ledger)(nil)
	_ store.Groups = (*Ledger)(nil)
)

// Create makes the file of a new ledger, which must not exist yet, and opens it.
func Create(ctx context.Context, file string) (*Ledger, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close(), syncDir(filepath.Dir(file))); err != nil {
		return nil, fmt.Errorf("create ledger: %w", err)
	}
	return Open(ctx, file)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open opens an existing ledger and brings its tables up to date.
func Open(ctx context.Context, file string) (*Ledger, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Ledger{}
	if err := l.connect(ctx, dsn(file, "_txlock=immediate"), dsn(file, "_pragma=query_only(1)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", file, err), l.Close())
	}
	return l, nil
}

func (l *Ledger) connect(ctx context.Context, writer, reader string) (err error) {
	if l.writer, err = sql.Open("sqlite", writer); err != nil {
		return err
	}
	l.writer.SetMaxOpenConns(1)
	if err := checkDurable(ctx, l.writer); err != nil {
		return err
	}
	if err := migrate(ctx, l.writer); err != nil {
		return err
	}
	if l.reader, err = sql.Open("sqlite", reader); err != nil {
		return err
	}
	l.reader.SetMaxOpenConns(readers)
	l.reader.SetMaxIdleConns(readers)
	if err := l.hot.prepare(ctx, l.reader); err != nil {
		return err
	}
	l.group, err = newGroup(ctx, l.writer)
	return err
}

func dsn(file, extra string) string {
	name := url.URL{Scheme: "file", Path: file}
	if !filepath.IsAbs(file) {
		name = url.URL{Scheme: "file", Opaque: url.PathEscape(file)}
	}
	pragmas := []string{
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)",
		"foreign_keys(1)", "secure_delete(1)", "trusted_schema(0)",
	}
	return name.String() + "?_pragma=" + strings.Join(pragmas, "&_pragma=") + "&" + extra
}

// checkDurable refuses a file on which an acknowledged write could be lost.
func checkDurable(ctx context.Context, db *sql.DB) error {
	var journal string
	var synchronous int
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return err
	}
	const full = 2
	if journal != "wal" || synchronous < full {
		return fmt.Errorf("journal_mode is %s and synchronous %d, so acknowledged writes could be lost; keep it on a file system that allows WAL", journal, synchronous)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Ping reads.
func (l *Ledger) Ping(ctx context.Context) error {
	var one int
	if err := l.reader.QueryRowContext(ctx, "SELECT 1 FROM goose_db_version LIMIT 1").Scan(&one); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// Close finishes the votes that wait and closes the file; again is fine.
func (l *Ledger) Close() error {
	var errs []error
	if l.group != nil {
		l.group.close()
	}
	for _, db := range []*sql.DB{l.reader, l.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
