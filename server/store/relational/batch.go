package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

const (
	batchColumns    = `name, ca, lab, daily_cap, created_at, revoked_at`
	selectBatch     = `SELECT ` + batchColumns + ` FROM batches WHERE name = $1`
	selectEnrolment = `SELECT device_key, batch, day FROM enrolments WHERE device_key = $1`
)

func scanBatch(r row) (b store.Batch, err error) {
	return b, r.Scan(&b.Name, &b.CA, &b.Lab, &b.DailyCap, moment{&b.Created}, moment{&b.Revoked})
}

// AddBatch records a batch.
func (l *Ledger) AddBatch(ctx context.Context, b store.Batch, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("add batch %s", b.Name), func(tx *sql.Tx) error {
		return touch(ctx, tx, store.ErrExists,
			`INSERT INTO batches (`+batchColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			b.Name, b.CA, number(b.Lab), b.DailyCap, seconds(b.Created), seconds(b.Revoked))
	})
}

// Batch reads a batch.
func (l *Ledger) Batch(ctx context.Context, name manifests.Name) (store.Batch, error) {
	b, err := only(ctx, &l.hot, l.hot.batch, scanBatch, name)
	if err != nil {
		err = fmt.Errorf("batch %s: %w", name, err)
	}
	return b, err
}

// Batches reads all batches.
func (l *Ledger) Batches(ctx context.Context) ([]store.Batch, error) {
	list, err := all(ctx, l.reader, scanBatch, `SELECT `+batchColumns+` FROM batches ORDER BY name`)
	if err != nil {
		err = fmt.Errorf("batches: %w", err)
	}
	return list, err
}

// RevokeBatch ends a batch.
func (l *Ledger) RevokeBatch(ctx context.Context, name manifests.Name, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("revoke batch %s", name), func(tx *sql.Tx) error {
		b, err := one(ctx, tx, scanBatch, selectBatch, name)
		if err != nil {
			return err
		}
		if !b.Revoked.IsZero() {
			return errUnchanged
		}
		_, err = tx.ExecContext(ctx, `UPDATE batches SET revoked_at = $1 WHERE name = $2`, seconds(e.At), name)
		return err
	})
}

func scanEnrolment(r row) (n store.Enrolment, err error) {
	return n, r.Scan(fixed(n.DeviceKey[:]), &n.Batch, &n.Day)
}

// Enrol records a handset that opted in, within the cap of its batch. Where two
// replicas enrol one key at the same moment, the second insertion fails and is
// repeated, and then finds the first.
func (l *Ledger) Enrol(ctx context.Context, n store.Enrolment, dailyCap int) error {
	err := l.writeAside(ctx, "enrol", func(tx *sql.Tx) error {
		old, err := one(ctx, tx, scanEnrolment, selectEnrolment, n.DeviceKey[:])
		switch {
		case err == nil && old.Batch == n.Batch:
			return errUnchanged
		case err == nil:
			return store.ErrConflict
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		if dailyCap < 1 {
			return store.ErrFull
		}
		err = touch(ctx, tx, store.ErrFull, `INSERT INTO batch_days (batch, day, count) VALUES ($1, $2, 1)
			ON CONFLICT (batch, day) DO UPDATE SET count = batch_days.count + 1 WHERE batch_days.count < $3`,
			n.Batch, n.Day, dailyCap)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO enrolments (device_key, batch, day) VALUES ($1, $2, $3)`, n.DeviceKey[:], n.Batch, n.Day)
		return err
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// Enrolment reads an enrolment.
func (l *Ledger) Enrolment(ctx context.Context, key vote.DeviceKey) (store.Enrolment, error) {
	n, err := only(ctx, &l.hot, l.hot.enrolment, scanEnrolment, key[:])
	if err != nil {
		err = fmt.Errorf("enrolment: %w", err)
	}
	return n, err
}

// Withdraw deletes an enrolment and erases what it left.
func (l *Ledger) Withdraw(ctx context.Context, key vote.DeviceKey) error {
	err := l.writeAside(ctx, "withdraw", func(tx *sql.Tx) error {
		n, err := changed(ctx, tx, `DELETE FROM enrolments WHERE device_key = $1`, key[:])
		if err == nil && n == 0 {
			return errUnchanged
		}
		return err
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.erase(ctx)
}
