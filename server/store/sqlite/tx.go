package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// write runs f in one transaction; what names it in errors.
func (l *Ledger) write(ctx context.Context, what string, f func(*sql.Tx) error) error {
	tx, err := l.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := f(tx); err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, undo)
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// errUnchanged ends an audited write that found nothing to do.
var errUnchanged = errors.New("unchanged")

// audited runs f and appends e in the same transaction, unless f gives
// errUnchanged: a repeated call leaves one entry.
func (l *Ledger) audited(ctx context.Context, e store.Entry, what string, f func(*sql.Tx) error) error {
	err := l.write(ctx, what, func(tx *sql.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		_, err := appendEntry(ctx, tx, e)
		return err
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// changed runs a statement and tells how many rows it touched.
func changed(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error) {
	r, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// touch runs a statement that touches a row unless something stands in its
// way; taken is given if it did.
func touch(ctx context.Context, tx *sql.Tx, taken error, query string, args ...any) error {
	n, err := changed(ctx, tx, query, args...)
	if err == nil && n == 0 {
		return taken
	}
	return err
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

type row interface{ Scan(...any) error }

// one reads a single row, or ErrNotFound.
func one[T any](ctx context.Context, q querier, scan func(row) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return v, err
}

// hot are the queries that every vote makes, prepared.
type hot struct{ enrolment, batch, votes *sql.Stmt }

func (h *hot) prepare(ctx context.Context, db *sql.DB) (err error) {
	for _, p := range []struct {
		into  **sql.Stmt
		query string
	}{{&h.enrolment, selectEnrolment}, {&h.batch, selectBatch}, {&h.votes, selectVotes}} {
		if *p.into, err = db.PrepareContext(ctx, p.query); err != nil {
			return err
		}
	}
	return nil
}

// only reads the single row of a prepared query, or ErrNotFound.
func only[T any](ctx context.Context, stmt *sql.Stmt, scan func(row) (T, error), args ...any) (T, error) {
	v, err := scan(stmt.QueryRowContext(ctx, args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return v, err
}

// all reads every row; with an error, those before it.
func all[T any](ctx context.Context, q querier, scan func(row) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return list, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// seconds is how a time is stored; the zero time is 0.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// moment reads a stored time.
type moment struct{ t *time.Time }

func (m moment) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", v)
	}
	*m.t = time.Time{}
	if n != 0 {
		*m.t = time.Unix(n, 0).UTC()
	}
	return nil
}

// fixed reads bytes of one length; NULL leaves them zero.
type fixed []byte

func (f fixed) Scan(v any) error {
	if v == nil {
		clear(f)
		return nil
	}
	b, ok := v.([]byte)
	if !ok || len(b) != len(f) {
		return fmt.Errorf("stored are %T of another length than %d bytes", v, len(f))
	}
	copy(f, b)
	return nil
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
