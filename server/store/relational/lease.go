package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/server/store"
)

func lease(ctx context.Context, q querier, name string) (store.Lease, error) {
	scan := func(r row) (v store.Lease, err error) {
		return v, r.Scan(&v.Name, &v.Holder, &v.Fence, moment{&v.Expires})
	}
	return one(ctx, q, scan, `SELECT name, holder, fence, expires_at FROM leases WHERE name = $1`, name)
}

// Acquire takes or renews a lease.
func (l *Ledger) Acquire(ctx context.Context, r store.LeaseRequest) (store.Lease, error) {
	var got store.Lease
	err := l.write(ctx, fmt.Sprintf("acquire lease %s", r.Name), func(tx *sql.Tx) error {
		old, err := lease(ctx, tx, r.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if got = old; old.Holder != r.Holder && old.Expires.After(r.Now) {
			return fmt.Errorf("held by %s: %w", old.Holder, store.ErrConflict)
		}
		got.Name, got.Holder, got.Expires = r.Name, r.Holder, r.Now.Add(r.For).UTC()
		// Even one's own lease gets a new fence once it has run out.
		if old.Holder != r.Holder || !old.Expires.After(r.Now) {
			got.Fence++
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO leases (name, holder, fence, expires_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = excluded.fence, expires_at = excluded.expires_at`,
			got.Name, got.Holder, got.Fence, seconds(got.Expires))
		return err
	})
	return got, err
}

// Lease reads who has a lease, or had it last.
func (l *Ledger) Lease(ctx context.Context, name string) (store.Lease, error) {
	v, err := lease(ctx, l.reader, name)
	if err != nil {
		err = fmt.Errorf("lease %s: %w", name, err)
	}
	return v, err
}

// Yield gives up a lease.
func (l *Ledger) Yield(ctx context.Context, v store.Lease) error {
	return l.write(ctx, fmt.Sprintf("yield lease %s", v.Name), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE leases SET expires_at = 0 WHERE name = $1 AND holder = $2 AND fence = $3`,
			v.Name, v.Holder, v.Fence)
		return err
	})
}

// fenced refuses a lease that has passed on.
func fenced(ctx context.Context, tx *sql.Tx, v store.Lease) error {
	now, err := lease(ctx, tx, v.Name)
	if err != nil {
		return fmt.Errorf("lease %s: %w", v.Name, err)
	}
	if now.Holder != v.Holder || now.Fence != v.Fence {
		return fmt.Errorf("lease %s has passed on to %s: %w", v.Name, now.Holder, store.ErrStale)
	}
	return nil
}
