package relational

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// readPatience is how long a read is repeated whose connection was lost: time
// for the pool to find that out of all it has, and for an engine to take new
// ones. Nobody waits through a restart for something to look at.
const readPatience = time.Second

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reader is a pool whose reads are repeated, and whose errors are put into
// words.
type reader struct {
	*sql.DB
	dialect Dialect
}

type row interface{ Scan(...any) error }

// again runs a read until it has an answer or there is no hope. What a read
// gives with its error is that of its last run.
func again[T any](ctx context.Context, r reader, read func() (T, error)) (T, error) {
	end := time.Now().Add(readPatience)
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		v, err := read()
		if err == nil || errors.Is(err, store.ErrNotFound) {
			return v, err
		}
		verdict, told := r.dialect.Judge(err)
		if verdict != Gone || time.Now().After(end) || !pause(ctx, wait) {
			return v, told
		}
	}
}

// on runs a read again where it is not a part of a transaction, which can only
// be run again as a whole.
func on[T any](ctx context.Context, q querier, read func() (T, error)) (T, error) {
	if r, ok := q.(reader); ok {
		return again(ctx, r, read)
	}
	return read()
}

// found puts into words that there is nothing.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// one reads a single row, or ErrNotFound.
func one[T any](ctx context.Context, q querier, scan func(row) (T, error), query string, args ...any) (T, error) {
	return on(ctx, q, func() (T, error) {
		v, err := scan(q.QueryRowContext(ctx, query, args...))
		return v, found(err)
	})
}

// all reads every row; with an error, those before it.
func all[T any](ctx context.Context, q querier, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	return on(ctx, q, func() (list []T, err error) {
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				return list, found(err)
			}
			list = append(list, v)
		}
		return list, rows.Err()
	})
}

// hot are the queries that every vote makes, prepared.
type hot struct {
	reader                  reader
	enrolment, batch, votes *sql.Stmt
}

func (h *hot) prepare(ctx context.Context, r reader) (err error) {
	h.reader = r
	for _, p := range []struct {
		into  **sql.Stmt
		query string
	}{{&h.enrolment, selectEnrolment}, {&h.batch, selectBatch}, {&h.votes, selectVotes}} {
		if *p.into, err = r.PrepareContext(ctx, p.query); err != nil {
			_, err = r.dialect.Judge(err)
			return err
		}
	}
	return nil
}

func (h *hot) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{h.enrolment, h.batch, h.votes} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// only reads the single row of a prepared query, or ErrNotFound.
func only[T any](ctx context.Context, h *hot, stmt *sql.Stmt, scan func(row) (T, error), args ...any) (T, error) {
	return again(ctx, h.reader, func() (T, error) {
		v, err := scan(stmt.QueryRowContext(ctx, args...))
		return v, found(err)
	})
}
