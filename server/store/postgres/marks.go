package postgres

import (
	"context"
	"database/sql"
	"errors"

	"github.com/candor-ota/candor/server/store/relational"
)

// marks is relational.Marks. Rows travel as arrays, so a group takes a few
// statements however large it is. Its connection looks rows up by index and
// nothing else (see counting), for no plan that PostgreSQL kept from the time
// when the table was small may read all of it later.
type marks struct{}

const (
	getBuckets = `SELECT b.first, b.marks FROM
		(SELECT DISTINCT (SELECT m.first FROM vote_marks m WHERE m.release_id = $1 AND m.first <= p ORDER BY m.first DESC LIMIT 1) AS first
			FROM unnest($2::bigint[]) p) w
		CROSS JOIN LATERAL (SELECT m.first, m.marks FROM vote_marks m WHERE m.release_id = $1 AND m.first = w.first LIMIT 1) b
		ORDER BY b.first`
	putBuckets = `INSERT INTO vote_marks (release_id, first, marks)
		SELECT $1, first, marks FROM unnest($2::bigint[], $3::bytea[]) AS w (first, marks)
		ON CONFLICT (release_id, first) DO UPDATE SET marks = excluded.marks`
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

// Buckets reads the buckets of places.
func (marks) Buckets(ctx context.Context, tx *sql.Tx, release int64, places []int64) (list []relational.Bucket, err error) {
	rows, err := tx.QueryContext(ctx, getBuckets, release, places)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b relational.Bucket
		if err := rows.Scan(&b.First, &b.Marks); err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

// Keep writes buckets.
func (marks) Keep(ctx context.Context, tx *sql.Tx, release int64, buckets []relational.Bucket) error {
	firsts, contents := make([]int64, len(buckets)), make([][]byte, len(buckets))
	for i, b := range buckets {
		firsts[i], contents[i] = b.First, b.Marks
	}
	_, err := tx.ExecContext(ctx, putBuckets, release, firsts, contents)
	return err
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
		if err := tx.QueryRowContext(ctx, getDrawn, r.Release, r.Set, r.Class, r.Tag[:]).Scan(relational.Fixed(r.Stored[:])); err != nil {
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
