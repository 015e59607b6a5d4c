package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/server/store"
)

// ReserveVersion uses up the next version of a role.
func (l *Ledger) ReserveVersion(ctx context.Context, v store.Lease, role string, least int64) (int64, error) {
	var next int64
	err := l.write(ctx, fmt.Sprintf("reserve version of %s", role), func(tx *sql.Tx) error {
		if err := fenced(ctx, tx, v); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) + 1 FROM role_versions WHERE role = $1`, role).Scan(&next)
		if err != nil {
			return err
		}
		next = max(next, least)
		_, err = tx.ExecContext(ctx, `INSERT INTO role_versions (role, version) VALUES ($1, $2)
			ON CONFLICT (role) DO UPDATE SET version = excluded.version`, role, next)
		return err
	})
	return next, err
}

// ReservedVersions reads the last version of each role.
func (l *Ledger) ReservedVersions(ctx context.Context) (map[string]int64, error) {
	type pair struct {
		role    string
		version int64
	}
	scan := func(r row) (p pair, err error) { return p, r.Scan(&p.role, &p.version) }
	list, err := all(ctx, l.reader, scan, `SELECT role, version FROM role_versions`)
	if err != nil {
		return nil, fmt.Errorf("reserved versions: %w", err)
	}
	out := make(map[string]int64, len(list))
	for _, p := range list {
		out[p.role] = p.version
	}
	return out, nil
}

func head(ctx context.Context, q querier, name string) (store.Head, error) {
	scan := func(r row) (h store.Head, err error) {
		return h, r.Scan(&h.Name, &h.Version, &h.ETag, &h.Document, &h.Fence, moment{&h.Updated})
	}
	return one(ctx, q, scan, `SELECT name, version, etag, document, fence, updated_at FROM heads WHERE name = $1`, name)
}

// Head reads what is published.
func (l *Ledger) Head(ctx context.Context, name string) (store.Head, error) {
	h, err := head(ctx, l.reader, name)
	if err != nil {
		err = fmt.Errorf("head %s: %w", name, err)
	}
	return h, err
}

// SetHead moves the head.
func (l *Ledger) SetHead(ctx context.Context, v store.Lease, old int64, h store.Head) error {
	return l.write(ctx, fmt.Sprintf("move head %s to version %d", h.Name, h.Version), func(tx *sql.Tx) error {
		if err := fenced(ctx, tx, v); err != nil {
			return err
		}
		now, err := head(ctx, tx, h.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		again := now.Version == h.Version && now.ETag == h.ETag
		if !again && (now.Version != old || h.Version <= old) {
			return fmt.Errorf("it stands at version %d: %w", now.Version, store.ErrStale)
		}
		document := h.Document
		if document == nil {
			document = []byte{}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO heads (name, version, etag, document, fence, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name) DO UPDATE SET version = excluded.version, etag = excluded.etag,
			document = excluded.document, fence = excluded.fence, updated_at = excluded.updated_at`,
			h.Name, h.Version, h.ETag, document, v.Fence, seconds(h.Updated))
		if err != nil || again {
			return err
		}
		return l.dialect.Announce(ctx, tx, h.Name)
	})
}
