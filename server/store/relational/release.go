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

const releaseColumns = `product, build, version, path, sha256, length, state, submitted_at, submitted_by`

func scanRelease(r row) (v store.Release, err error) {
	err = r.Scan(&v.Product, &v.Build, &v.Version, &v.Path, fixed(v.SHA256[:]), &v.Length, &v.State, moment{&v.Submitted}, &v.SubmittedBy)
	return v, err
}

func release(ctx context.Context, q querier, ref vote.Ref) (store.Release, error) {
	return one(ctx, q, scanRelease, `SELECT `+releaseColumns+` FROM releases WHERE product = $1 AND build = $2`, ref.Product, ref.Build)
}

// AddRelease records a submitted release.
func (l *Ledger) AddRelease(ctx context.Context, r store.Release, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("add release %s", r.Ref()), func(tx *sql.Tx) error {
		if _, err := one(ctx, tx, scanProduct, selectProduct+` WHERE name = $1`, r.Product); err != nil {
			return fmt.Errorf("product %s: %w", r.Product, err)
		}
		old, err := release(ctx, tx, r.Ref())
		switch {
		case err == nil && old.SHA256 == r.SHA256:
			return errUnchanged
		case err == nil:
			return store.ErrExists
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO releases (`+releaseColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			r.Product, r.Build, r.Version, r.Path, r.SHA256[:], r.Length, r.State, seconds(r.Submitted), r.SubmittedBy)
		return err
	})
}

// Release reads a release.
func (l *Ledger) Release(ctx context.Context, ref vote.Ref) (store.Release, error) {
	r, err := release(ctx, l.reader, ref)
	if err != nil {
		err = fmt.Errorf("release %s: %w", ref, err)
	}
	return r, err
}

// Releases reads the releases of a product.
func (l *Ledger) Releases(ctx context.Context, product manifests.Product) ([]store.Release, error) {
	list, err := all(ctx, l.reader, scanRelease,
		`SELECT `+releaseColumns+` FROM releases WHERE product = $1 ORDER BY build DESC`, product)
	if err != nil {
		err = fmt.Errorf("releases of %s: %w", product, err)
	}
	return list, err
}

// MoveRelease changes the state of a release.
func (l *Ledger) MoveRelease(ctx context.Context, ref vote.Ref, from, to store.ReleaseState, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("release %s from %s to %s", ref, from, to), func(tx *sql.Tx) error {
		if _, err := release(ctx, tx, ref); err != nil {
			return err
		}
		return touch(ctx, tx, store.ErrStale,
			`UPDATE releases SET state = $1 WHERE product = $2 AND build = $3 AND state = $4`, to, ref.Product, ref.Build, from)
	})
}

// ReleaseBelow reads the release of the next lower build.
func (l *Ledger) ReleaseBelow(ctx context.Context, ref vote.Ref) (store.Release, error) {
	r, err := one(ctx, l.reader, scanRelease,
		`SELECT `+releaseColumns+` FROM releases WHERE product = $1 AND build < $2 AND state <> $3 ORDER BY build DESC LIMIT 1`,
		ref.Product, ref.Build, store.ReleaseStaged)
	if err != nil {
		err = fmt.Errorf("release before %s: %w", ref, err)
	}
	return r, err
}

// NewestReleases reads the highest builds of a product.
func (l *Ledger) NewestReleases(ctx context.Context, product manifests.Product, limit int) ([]store.Release, error) {
	list, err := all(ctx, l.reader, scanRelease,
		`SELECT `+releaseColumns+` FROM releases WHERE product = $1 AND state <> $2 ORDER BY build DESC LIMIT $3`, product, store.ReleaseStaged, limit)
	if err != nil {
		err = fmt.Errorf("newest releases of %s: %w", product, err)
	}
	return list, err
}
