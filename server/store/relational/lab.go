package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// AddLabReport records what a lab handset said.
func (l *Ledger) AddLabReport(ctx context.Context, r store.LabReport) error {
	return l.write(ctx, "add lab report", func(tx *sql.Tx) error {
		if _, err := release(ctx, tx, r.Ref); err != nil {
			return fmt.Errorf("release %s: %w", r.Ref, err)
		}
		err := touch(ctx, tx, errUnchanged, `INSERT INTO lab_reports (product, build, class, device_key, batch, cell, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			r.Ref.Product, r.Ref.Build, r.Class, r.DeviceKey[:], r.Batch, r.Cell, seconds(r.At))
		if !errors.Is(err, errUnchanged) {
			return err
		}
		var cell vote.Cell
		err = tx.QueryRowContext(ctx, `SELECT cell FROM lab_reports WHERE product = $1 AND build = $2 AND device_key = $3 AND class = $4`,
			r.Ref.Product, r.Ref.Build, r.DeviceKey[:], r.Class).Scan(&cell)
		if err == nil && cell != r.Cell {
			return store.ErrConflict
		}
		return err
	})
}

// LabReports reads the reports about a release.
func (l *Ledger) LabReports(ctx context.Context, ref vote.Ref) ([]store.LabReport, error) {
	scan := func(r row) (v store.LabReport, err error) {
		v.Ref = ref
		var muted int64
		err = r.Scan(&v.Class, fixed(v.DeviceKey[:]), &v.Batch, &v.Cell, moment{&v.At}, &muted)
		v.Muted = muted != 0
		return v, err
	}
	list, err := all(ctx, l.reader, scan, `SELECT class, r.device_key, batch, cell, at,
		CASE WHEN m.device_key IS NULL THEN 0 ELSE 1 END
		FROM lab_reports r LEFT JOIN lab_muted m ON m.device_key = r.device_key
		WHERE product = $1 AND build = $2 ORDER BY at, r.device_key, class`, ref.Product, ref.Build)
	if err != nil {
		err = fmt.Errorf("lab reports about %s: %w", ref, err)
	}
	return list, err
}

// MuteLab makes the operator deaf to a lab handset, or not.
func (l *Ledger) MuteLab(ctx context.Context, key vote.DeviceKey, muted bool, e store.Entry) error {
	statement := `DELETE FROM lab_muted WHERE device_key = $1`
	if muted {
		statement = `INSERT INTO lab_muted (device_key) VALUES ($1) ON CONFLICT DO NOTHING`
	}
	return l.audited(ctx, e, "mute lab handset", func(tx *sql.Tx) error {
		return touch(ctx, tx, errUnchanged, statement, key[:])
	})
}
