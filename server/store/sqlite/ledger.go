// Package sqlite keeps the ledger in one SQLite file: the embedded default.
//
// The file runs in WAL mode with synchronous=FULL, so a commit is on disk when
// it returns; Open refuses anything less. One connection writes, a few read.
// Deleted rows are overwritten (secure_delete), and closing the votes of a
// release truncates the log that still held them. What is asked and written
// is in package relational.
//
// Failure: a crash loses nothing that was acknowledged; a full disk fails the
// write and leaves what was there; a damaged file fails Open.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

const readers = 4

// cache is what the writer keeps of the file: marks of votes lie anywhere in
// it, and what is not kept is read again for each group. KiB.
const cache = "_pragma=cache_size(-32768)"

// Ledger is a store.Ledger in one file.
type Ledger struct{ *relational.Ledger }

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
	l, err := connect(ctx, dsn(file, "_txlock=immediate&"+cache), dsn(file, "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", file, err)
	}
	return l, nil
}

func connect(ctx context.Context, writer, reader string) (*Ledger, error) {
	w, err := sql.Open("sqlite", writer)
	if err != nil {
		return nil, err
	}
	w.SetMaxOpenConns(1)
	if err := prepare(ctx, w); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	r, err := sql.Open("sqlite", reader)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	r.SetMaxOpenConns(readers)
	r.SetMaxIdleConns(readers)
	d, err := newDialect(ctx, w)
	if err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	l, err := relational.New(ctx, relational.Engine{
		Writer: w, Counter: w, Reader: r, Snapshot: sql.TxOptions{ReadOnly: true}, Dialect: d,
	})
	if err != nil {
		return nil, err
	}
	return &Ledger{l}, nil
}

func prepare(ctx context.Context, w *sql.DB) error {
	if err := checkDurable(ctx, w); err != nil {
		return err
	}
	return relational.Migrate(ctx, w, goose.DialectSQLite3)
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
