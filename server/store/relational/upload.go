package relational

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/candor-ota/candor/server/store"
)

const uploadColumns = `id, owner, sha256, size, position, created_at, updated_at`

func scanUpload(r row) (u store.Upload, err error) {
	return u, r.Scan(&u.ID, &u.Owner, fixed(u.SHA256[:]), &u.Size, &u.Offset, moment{&u.Created}, moment{&u.Updated})
}

// AddUpload records a new session.
func (l *Ledger) AddUpload(ctx context.Context, u store.Upload) error {
	return l.write(ctx, fmt.Sprintf("add upload %s", u.ID), func(tx *sql.Tx) error {
		return touch(ctx, tx, store.ErrExists,
			`INSERT INTO uploads (`+uploadColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			u.ID, u.Owner, u.SHA256[:], u.Size, u.Offset, seconds(u.Created), seconds(u.Updated))
	})
}

// Upload reads a session.
func (l *Ledger) Upload(ctx context.Context, id string) (store.Upload, error) {
	u, err := one(ctx, l.reader, scanUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1`, id)
	if err != nil {
		err = fmt.Errorf("upload %s: %w", id, err)
	}
	return u, err
}

// Uploads reads all sessions.
func (l *Ledger) Uploads(ctx context.Context) ([]store.Upload, error) {
	list, err := all(ctx, l.reader, scanUpload, `SELECT `+uploadColumns+` FROM uploads ORDER BY updated_at, id`)
	if err != nil {
		err = fmt.Errorf("uploads: %w", err)
	}
	return list, err
}

// AdvanceUpload records that bytes up to to are durable.
func (l *Ledger) AdvanceUpload(ctx context.Context, id string, from, to int64, at time.Time) error {
	return l.write(ctx, fmt.Sprintf("advance upload %s from %d to %d", id, from, to), func(tx *sql.Tx) error {
		u, err := one(ctx, tx, scanUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if to < from || to > u.Size {
			return fmt.Errorf("the blob has %d bytes", u.Size)
		}
		return touch(ctx, tx, store.ErrStale, `UPDATE uploads SET position = $1, updated_at = $2 WHERE id = $3 AND position = $4`,
			to, seconds(at), id, from)
	})
}

// DeleteUpload removes a session.
func (l *Ledger) DeleteUpload(ctx context.Context, id string) error {
	return l.write(ctx, fmt.Sprintf("delete upload %s", id), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = $1`, id)
		return err
	})
}
