package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/candor-ota/candor/server/store/relational"
)

// dialect is relational.Dialect for SQLite. It has one writer at a time, in
// this process and among processes, so there is nothing to order or to hold,
// and nobody to tell.
type dialect struct{ writer *sql.DB }

func (*dialect) Order(context.Context, *sql.Tx) error                { return nil }
func (*dialect) Hold(context.Context, *sql.Tx, bool, ...int64) error { return nil }
func (*dialect) Announce(context.Context, *sql.Tx, string) error     { return nil }
func (*dialect) Judge(err error) (error, relational.Verdict)         { return err, relational.Final }

// Erase moves the log into the file, where secure_delete has overwritten what
// was deleted, and cuts the log, which still holds it. Readers that are in the
// middle of something can keep it from finishing; the next one does.
func (d *dialect) Erase(ctx context.Context) error {
	_, err := d.writer.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// Spend writes nullifiers.
func (d *dialect) Spend(ctx context.Context, tx *sql.Tx, rows []relational.Spent) (err error) {
	put, err := tx.PrepareContext(ctx, `INSERT INTO vote_nullifiers (release_id, nullifier, mac_part) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.Old, err = old(put.ExecContext(ctx, r.Release, r.Nullifier[:], r.Check[:])); err != nil {
			return err
		}
		if r.Old {
			err = stored(r.Stored[:], tx.QueryRowContext(ctx,
				`SELECT mac_part FROM vote_nullifiers WHERE release_id = $1 AND nullifier = $2`, r.Release, r.Nullifier[:]))
			if err != nil {
				return err
			}
		}
	}
	return put.Close()
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
			err = stored(r.Stored[:], tx.QueryRowContext(ctx,
				`SELECT element FROM vote_issues WHERE release_id = $1 AND key_set = $2 AND class = $3 AND tag = $4`, r.Release, r.Set, r.Class, r.Tag[:]))
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
