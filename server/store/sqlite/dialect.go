package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/candor-ota/candor/server/store/relational"
)

// dialect is relational.Dialect for SQLite. It has one writer at a time, in
// this process and among processes, so there is nothing to order or to hold,
// and nobody to tell.
type dialect struct {
	writer       *sql.DB
	bucket, keep *sql.Stmt
}

const (
	selectBucket = `SELECT first, marks, (SELECT MIN(n.first) FROM vote_marks n WHERE n.release_id = m.release_id AND n.first > m.first)
		FROM vote_marks m WHERE release_id = $1 AND first <= $2 ORDER BY first DESC LIMIT 1`
	upsertBucket = `INSERT INTO vote_marks (release_id, first, marks) VALUES ($1, $2, $3)
		ON CONFLICT (release_id, first) DO UPDATE SET marks = excluded.marks`
)

func newDialect(ctx context.Context, writer *sql.DB) (d *dialect, err error) {
	d = &dialect{writer: writer}
	if d.bucket, err = writer.PrepareContext(ctx, selectBucket); err != nil {
		return nil, err
	}
	if d.keep, err = writer.PrepareContext(ctx, upsertBucket); err != nil {
		return nil, err
	}
	return d, nil
}

func (*dialect) Order(context.Context, *sql.Tx) error            { return nil }
func (*dialect) Hold(context.Context, *sql.Tx, ...int64) error   { return nil }
func (*dialect) Announce(context.Context, *sql.Tx, string) error { return nil }
func (*dialect) Judge(err error) (relational.Verdict, error)     { return relational.Final, err }

// Clock is this machine's.
func (*dialect) Clock() string { return `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)` }

// Channel is what the migration made the indexes of.
func (*dialect) Channel() string { return relational.ChannelSQLite }

// Erase moves the log into the file, where secure_delete has overwritten what
// was deleted, and cuts the log, which still holds it. Readers that are in the
// middle of something can keep it from finishing; the next one does.
func (d *dialect) Erase(ctx context.Context) error {
	_, err := d.writer.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// Buckets asks for one bucket after the other, and knows from where the next
// one begins which places that was for.
func (d *dialect) Buckets(ctx context.Context, tx *sql.Tx, release int64, places []int64) (list []relational.Bucket, err error) {
	look := tx.StmtContext(ctx, d.bucket)
	for len(places) > 0 {
		var b relational.Bucket
		var next sql.NullInt64
		err := look.QueryRowContext(ctx, release, places[0]).Scan(&b.First, &b.Marks, &next)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, b)
		if !next.Valid {
			break
		}
		n, _ := slices.BinarySearch(places, next.Int64)
		places = places[n:]
	}
	return list, nil
}

// Keep writes buckets.
func (d *dialect) Keep(ctx context.Context, tx *sql.Tx, release int64, buckets []relational.Bucket) error {
	put := tx.StmtContext(ctx, d.keep)
	for _, b := range buckets {
		if _, err := put.ExecContext(ctx, release, b.First, b.Marks); err != nil {
			return err
		}
	}
	return nil
}

// Draw writes issue records.
func (d *dialect) Draw(ctx context.Context, tx *sql.Tx, rows []relational.Drawn) (err error) {
	put, err := tx.PrepareContext(ctx, `INSERT INTO vote_issues (release_id, key_set, class, tag, element) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.Old, err = old(put.ExecContext(ctx, r.Release, r.Set, r.Class, r.Tag[:], r.Element[:])); err != nil {
			return err
		}
		if r.Old {
			err = tx.QueryRowContext(ctx,
				`SELECT element FROM vote_issues WHERE release_id = $1 AND key_set = $2 AND class = $3 AND tag = $4`, r.Release, r.Set, r.Class, r.Tag[:]).Scan(relational.Fixed(r.Stored[:]))
			if err != nil {
				return err
			}
		}
	}
	return put.Close()
}

// old tells whether an insertion found its key taken.
func old(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 0, err
}
