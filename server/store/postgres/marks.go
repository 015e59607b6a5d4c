package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/server/store/relational"
)

// marks is relational.Marks. A group is one statement: the rows travel as
// arrays, are inserted in the order of their keys, so that groups of two
// replicas never wait for each other in a circle, and only the places of those
// that were there already come back. What stands there is read by a second
// statement, which sees what another replica committed meanwhile.
type marks struct{}

const (
	putSpent = `WITH want AS (
			SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) WITH ORDINALITY AS w (release_id, nullifier, mac_part, n)),
		put AS (
			INSERT INTO vote_nullifiers (release_id, nullifier, mac_part)
			SELECT release_id, nullifier, mac_part FROM want ORDER BY release_id, nullifier
			ON CONFLICT DO NOTHING RETURNING release_id, nullifier)
		SELECT n FROM want LEFT JOIN put USING (release_id, nullifier) WHERE put.nullifier IS NULL`
	getSpent = `SELECT mac_part FROM vote_nullifiers WHERE release_id = $1 AND nullifier = $2`

	putDrawn = `WITH want AS (
			SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])
			WITH ORDINALITY AS w (release_id, key_set, class, tag, element, n)),
		put AS (
			INSERT INTO vote_issues (release_id, key_set, class, tag, element)
			SELECT release_id, key_set, class, tag, element FROM want ORDER BY release_id, key_set, class, tag
			ON CONFLICT DO NOTHING RETURNING release_id, key_set, class, tag)
		SELECT n FROM want LEFT JOIN put USING (release_id, key_set, class, tag) WHERE put.tag IS NULL`
	getDrawn = `SELECT element FROM vote_issues WHERE release_id = $1 AND key_set = $2 AND class = $3 AND tag = $4`
)

// Spend writes nullifiers.
func (marks) Spend(ctx context.Context, tx *sql.Tx, rows []relational.Spent) error {
	releases, nullifiers, checks := make([]int64, len(rows)), make([][]byte, len(rows)), make([][]byte, len(rows))
	for i := range rows {
		releases[i], nullifiers[i], checks[i] = rows[i].Release, rows[i].Nullifier[:], rows[i].Check[:]
	}
	there, err := places(tx.QueryContext(ctx, putSpent, releases, nullifiers, checks))
	if err != nil {
		return err
	}
	for _, n := range there {
		r := &rows[n]
		r.Old = true
		if err := stored(r.Stored[:], tx.QueryRowContext(ctx, getSpent, r.Release, r.Nullifier[:])); err != nil {
			return err
		}
	}
	return nil
}

// Draw writes issue records.
func (marks) Draw(ctx context.Context, tx *sql.Tx, rows []relational.Drawn) error {
	releases, sets, classes := make([]int64, len(rows)), make([]string, len(rows)), make([]string, len(rows))
	tags, elements := make([][]byte, len(rows)), make([][]byte, len(rows))
	for i := range rows {
		r := &rows[i]
		releases[i], sets[i], classes[i], tags[i], elements[i] = r.Release, string(r.Set), string(r.Class), r.Tag[:], r.Element[:]
	}
	there, err := places(tx.QueryContext(ctx, putDrawn, releases, sets, classes, tags, elements))
	if err != nil {
		return err
	}
	for _, n := range there {
		r := &rows[n]
		r.Old = true
		if err := stored(r.Stored[:], tx.QueryRowContext(ctx, getDrawn, r.Release, r.Set, r.Class, r.Tag[:])); err != nil {
			return err
		}
	}
	return nil
}

// places reads positions, which SQL counts from 1.
func places(rows *sql.Rows, err error) (list []int, _ error) {
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, n-1)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

func stored(into []byte, r *sql.Row) error {
	var b []byte
	if err := r.Scan(&b); err != nil {
		return err
	}
	if len(b) != len(into) {
		return fmt.Errorf("stored are %d bytes instead of %d", len(b), len(into))
	}
	copy(into, b)
	return nil
}
