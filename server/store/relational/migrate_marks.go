package relational

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/pressly/goose/v3"

	"github.com/candor-ota/candor/manifests/vote"
)

// marksMigration moves the nullifiers, which had a row each, into buckets. It
// is in Go because SQL cannot build them.
func marksMigration() *goose.Migration {
	return goose.NewGoMigration(5, &goose.GoFunc{RunTx: nullifiersToMarks}, nil)
}

func nullifiersToMarks(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `CREATE TABLE vote_marks (
		release_id BIGINT NOT NULL,
		first      BIGINT NOT NULL,
		marks      BYTEA  NOT NULL,
		PRIMARY KEY (release_id, first))`)
	if err != nil {
		return err
	}
	number := func(r row) (id int64, err error) { return id, r.Scan(&id) }
	releases, err := all(ctx, tx, number, `SELECT id FROM vote_releases ORDER BY id`)
	if err != nil {
		return err
	}
	for _, id := range releases {
		if err := moveNullifiers(ctx, tx, id); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `DROP TABLE vote_nullifiers`)
	return err
}

// moveNullifiers goes through those of a release in their order, so that a
// bucket is written once, when the next one begins.
func moveNullifiers(ctx context.Context, tx *sql.Tx, release int64) error {
	const page = 5000
	scan := func(r row) (m []byte, err error) {
		var n vote.Nullifier
		var check [8]byte
		err = r.Scan(fixed(n[:]), fixed(check[:]))
		whole := mark(n, check)
		return append(whole[:], n[:]...), err
	}
	bucket, after := Bucket{First: math.MinInt64}, []byte{}
	for {
		list, err := all(ctx, tx, scan, `SELECT nullifier, mac_part FROM vote_nullifiers
			WHERE release_id = $1 AND nullifier > $2 ORDER BY nullifier LIMIT $3`, release, after, page)
		if err != nil {
			return err
		}
		for _, m := range list {
			after = m[markSize:]
			last := bucket.Marks[max(0, len(bucket.Marks)-markSize):]
			switch {
			case len(last) > 0 && bytes.Equal(last[:markKey], m[:markKey]):
				continue // two nullifiers that meet in 9 bytes leave one mark
			case len(bucket.Marks) >= bucketMarks*3/4*markSize && place(last) != place(m):
				if err := addBucket(ctx, tx, release, bucket); err != nil {
					return err
				}
				bucket = Bucket{First: place(m)}
			}
			bucket.Marks = append(bucket.Marks, m[:markSize]...)
		}
		if len(list) < page {
			break
		}
	}
	if len(bucket.Marks) == 0 {
		return nil
	}
	return addBucket(ctx, tx, release, bucket)
}

func addBucket(ctx context.Context, tx *sql.Tx, release int64, b Bucket) error {
	n, err := changed(ctx, tx, `INSERT INTO vote_marks (release_id, first, marks) VALUES ($1, $2, $3)`, release, b.First, b.Marks)
	if err == nil && n != 1 {
		return errors.New("a bucket was not written")
	}
	return err
}
