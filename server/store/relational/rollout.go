package relational

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

const rolloutColumns = `id, product, build, state, document, version, sequence, created_at, updated_at`

func scanRollout(r row) (v store.Rollout, err error) {
	var document string
	err = r.Scan(&v.ID, &v.Product, &v.Build, &v.State, &document, &v.Version, &v.Sequence, moment{&v.Created}, moment{&v.Updated})
	v.Document = []byte(document)
	return v, err
}

// AddRollout records a new rollout.
func (l *Ledger) AddRollout(ctx context.Context, r store.Rollout, e store.Entry) (store.Rollout, error) {
	r.Version = 1
	err := l.audited(ctx, e, fmt.Sprintf("add rollout %s", r.ID), func(tx *sql.Tx) error {
		ref := vote.Ref{Product: r.Product, Build: r.Build}
		if _, err := release(ctx, tx, ref); err != nil {
			return fmt.Errorf("release %s: %w", ref, err)
		}
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(sequence), 0) + 1 FROM rollouts WHERE product = $1`, r.Product).Scan(&r.Sequence)
		if err != nil {
			return err
		}
		return touch(ctx, tx, store.ErrExists,
			`INSERT INTO rollouts (`+rolloutColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
			r.ID, r.Product, r.Build, r.State, string(r.Document), r.Version, r.Sequence, seconds(r.Created), seconds(r.Updated))
	})
	return r, err
}

// Rollout reads a rollout.
func (l *Ledger) Rollout(ctx context.Context, id string) (store.Rollout, error) {
	r, err := one(ctx, l.reader, scanRollout, `SELECT `+rolloutColumns+` FROM rollouts WHERE id = $1`, id)
	if err != nil {
		err = fmt.Errorf("rollout %s: %w", id, err)
	}
	return r, err
}

// Rollouts reads the rollouts of a product.
func (l *Ledger) Rollouts(ctx context.Context, product manifests.Product) ([]store.Rollout, error) {
	list, err := all(ctx, l.reader, scanRollout,
		`SELECT `+rolloutColumns+` FROM rollouts WHERE product = $1 ORDER BY sequence DESC`, product)
	if err != nil {
		err = fmt.Errorf("rollouts of %s: %w", product, err)
	}
	return list, err
}

// UpdateRollout writes a rollout over the version it was read at.
func (l *Ledger) UpdateRollout(ctx context.Context, r store.Rollout, e store.Entry) (store.Rollout, error) {
	err := l.audited(ctx, e, fmt.Sprintf("update rollout %s", r.ID), func(tx *sql.Tx) error {
		if _, err := one(ctx, tx, scanRollout, `SELECT `+rolloutColumns+` FROM rollouts WHERE id = $1`, r.ID); err != nil {
			return err
		}
		return touch(ctx, tx, store.ErrStale,
			`UPDATE rollouts SET state = $1, document = $2, updated_at = $3, version = version + 1 WHERE id = $4 AND version = $5`,
			r.State, string(r.Document), seconds(r.Updated), r.ID, r.Version)
	})
	if err == nil {
		r.Version++
	}
	return r, err
}
