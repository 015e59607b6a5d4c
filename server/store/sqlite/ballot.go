package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// statements are the prepared statements of a group.
type statements struct{ issue, element, nullifier, macPart, cell, hour, issued *sql.Stmt }

func prepare(ctx context.Context, db *sql.DB) (*statements, error) {
	s := new(statements)
	for _, p := range []struct {
		into  **sql.Stmt
		query string
	}{
		{&s.issue, `INSERT INTO vote_issues (release_id, key_set, class, tag, element) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`},
		{&s.element, `SELECT element FROM vote_issues WHERE release_id = $1 AND key_set = $2 AND class = $3 AND tag = $4`},
		{&s.nullifier, `INSERT INTO vote_nullifiers (release_id, nullifier, mac_part) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`},
		{&s.macPart, `SELECT mac_part FROM vote_nullifiers WHERE release_id = $1 AND nullifier = $2`},
		{&s.cell, `INSERT INTO vote_cells (release_id, key_set, class, cell, count) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (release_id, key_set, class, cell) DO UPDATE SET count = vote_cells.count + excluded.count`},
		{&s.hour, `INSERT INTO vote_hours (release_id, key_set, hour, count) VALUES ($1, $2, $3, $4)
			ON CONFLICT (release_id, key_set, hour) DO UPDATE SET count = vote_hours.count + excluded.count`},
		{&s.issued, `INSERT INTO vote_issued (release_id, key_set, class, batch, count) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (release_id, key_set, class, batch) DO UPDATE SET count = vote_issued.count + excluded.count`},
	} {
		stmt, err := db.PrepareContext(ctx, p.query)
		if err != nil {
			return nil, err
		}
		*p.into = stmt
	}
	return s, nil
}

// The counters that a group adds up in memory and writes once.
type (
	cellKey struct {
		release int64
		set     vote.Set
		class   vote.Class
		cell    vote.Cell
	}
	hourKey struct {
		release int64
		set     vote.Set
		hour    store.Hour
	}
	issuedKey struct {
		release int64
		set     vote.Set
		class   vote.Class
		batch   manifests.Name
	}
)

// ballotTx is the transaction of a group.
type ballotTx struct {
	tx       *sql.Tx
	sql      statements
	releases map[vote.Ref]voteRelease
	cells    map[cellKey]int64
	hours    map[hourKey]int64
	issued   map[issuedKey]int64
}

func newBallotTx(ctx context.Context, tx *sql.Tx, s *statements) *ballotTx {
	in := func(stmt *sql.Stmt) *sql.Stmt { return tx.StmtContext(ctx, stmt) }
	return &ballotTx{
		tx: tx, releases: map[vote.Ref]voteRelease{},
		cells: map[cellKey]int64{}, hours: map[hourKey]int64{}, issued: map[issuedKey]int64{},
		sql: statements{
			issue: in(s.issue), element: in(s.element), nullifier: in(s.nullifier), macPart: in(s.macPart),
			cell: in(s.cell), hour: in(s.hour), issued: in(s.issued),
		},
	}
}

// open gives the release if votes of this set are taken now. It is read in the
// transaction that counts, so a vote never lands after the closing.
func (b *ballotTx) open(ctx context.Context, ref vote.Ref, set vote.Set) (v voteRelease, answer, failure error) {
	v, known := b.releases[ref]
	if !known {
		var err error
		if v, err = votesOf(ctx, b.tx, ref); errors.Is(err, store.ErrNotFound) {
			return v, err, nil
		} else if err != nil {
			return v, nil, err
		}
		b.releases[ref] = v
	}
	switch {
	case !v.Closed.IsZero():
		return v, fmt.Errorf("%s: %w", ref, store.ErrClosed), nil
	case v.Active != set:
		return v, fmt.Errorf("%s: %w", ref, store.ErrRetired), nil
	}
	return v, nil, nil
}

// once inserts a row; if its key is there already, the answer is nil when the
// stored bytes are the same and ErrConflict when not.
func once(ctx context.Context, put, look *sql.Stmt, key []any, value []byte) (isNew bool, answer, failure error) {
	r, err := put.ExecContext(ctx, append(key, value)...)
	if err != nil {
		return false, nil, err
	}
	if n, err := r.RowsAffected(); err != nil || n > 0 {
		return n > 0, nil, err
	}
	var stored []byte
	if err := look.QueryRowContext(ctx, key...).Scan(&stored); err != nil {
		return false, nil, err
	}
	if !bytes.Equal(stored, value) {
		return false, store.ErrConflict, nil
	}
	return false, nil, nil
}

// CastVote counts a vote.
func (l *Ledger) CastVote(ctx context.Context, v store.Ballot) error {
	err := l.group.submit(ctx, func(ctx context.Context, b *ballotTx) (answer, failure error) {
		r, answer, failure := b.open(ctx, v.Ref, v.Set)
		if answer != nil || failure != nil {
			return answer, failure
		}
		isNew, answer, failure := once(ctx, b.sql.nullifier, b.sql.macPart, []any{r.id, v.Nullifier[:]}, v.Check[:])
		if isNew {
			b.cells[cellKey{r.id, v.Set, v.Class, v.Cell}]++
			if v.Class == vote.Attempt {
				b.hours[hourKey{r.id, v.Set, v.Hour}]++
			}
		}
		return answer, failure
	})
	if err != nil {
		return fmt.Errorf("cast vote: %w", err)
	}
	return nil
}

// RecordIssue records that a token is given out.
func (l *Ledger) RecordIssue(ctx context.Context, i store.Issue) error {
	err := l.group.submit(ctx, func(ctx context.Context, b *ballotTx) (answer, failure error) {
		r, answer, failure := b.open(ctx, i.Ref, i.Set)
		if answer != nil || failure != nil {
			return answer, failure
		}
		isNew, answer, failure := once(ctx, b.sql.issue, b.sql.element, []any{r.id, i.Set, i.Class, i.Tag[:]}, i.Element[:])
		if isNew {
			b.issued[issuedKey{r.id, i.Set, i.Class, i.Batch}]++
		}
		return answer, failure
	})
	if err != nil {
		return fmt.Errorf("record issue: %w", err)
	}
	return nil
}

// flush writes the counters.
func (b *ballotTx) flush(ctx context.Context) error {
	for k, n := range b.cells {
		if _, err := b.sql.cell.ExecContext(ctx, k.release, k.set, k.class, k.cell, n); err != nil {
			return err
		}
	}
	for k, n := range b.hours {
		if _, err := b.sql.hour.ExecContext(ctx, k.release, k.set, k.hour, n); err != nil {
			return err
		}
	}
	for k, n := range b.issued {
		if _, err := b.sql.issued.ExecContext(ctx, k.release, k.set, k.class, k.batch, n); err != nil {
			return err
		}
	}
	return nil
}
