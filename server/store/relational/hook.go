package relational

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/server/store"
)

const hookColumns = `name, position, delivered, failures, gave_up, attempts, failing_since, next_try, last_error, delivered_at`

func scanHook(r row) (h store.Hook, err error) {
	return h, r.Scan(&h.Name, &h.Position, &h.Delivered, &h.Failures, &h.GaveUp, &h.Attempts,
		moment{&h.FailingSince}, moment{&h.NextTry}, &h.LastError, moment{&h.DeliveredAt})
}

// OpenHook reads a hook, or begins it at the end of the log.
func (l *Ledger) OpenHook(ctx context.Context, name string) (h store.Hook, err error) {
	err = l.write(ctx, fmt.Sprintf("open hook %s", name), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO hooks (`+hookColumns+`)
			VALUES ($1, (SELECT COALESCE(MAX(seq), 0) FROM audit), 0, 0, 0, 0, 0, 0, '', 0) ON CONFLICT DO NOTHING`, name)
		if err != nil {
			return err
		}
		h, err = one(ctx, tx, scanHook, `SELECT `+hookColumns+` FROM hooks WHERE name = $1`, name)
		return err
	})
	return h, err
}

// Hooks reads all hooks.
func (l *Ledger) Hooks(ctx context.Context) ([]store.Hook, error) {
	list, err := all(ctx, l.reader, scanHook, `SELECT `+hookColumns+` FROM hooks ORDER BY name`)
	if err != nil {
		err = fmt.Errorf("hooks: %w", err)
	}
	return list, err
}

// SaveHook writes the state of a hook.
func (l *Ledger) SaveHook(ctx context.Context, lease store.Lease, h store.Hook, e store.Entry) error {
	err := l.write(ctx, fmt.Sprintf("save hook %s", h.Name), func(tx *sql.Tx) error {
		if err := fenced(ctx, tx, lease); err != nil {
			return err
		}
		said := strings.ToValidUTF8(h.LastError[:min(len(h.LastError), store.MaxHookError)], "")
		err := touch(ctx, tx, store.ErrStale, `UPDATE hooks SET position = $1, delivered = $2, failures = $3, gave_up = $4,
			attempts = $5, failing_since = $6, next_try = $7, last_error = $8, delivered_at = $9 WHERE name = $10 AND position <= $1`,
			h.Position, h.Delivered, h.Failures, h.GaveUp, h.Attempts,
			seconds(h.FailingSince), seconds(h.NextTry), said, seconds(h.DeliveredAt), h.Name)
		if err != nil || e.What == "" {
			return err
		}
		_, err = appendEntry(ctx, tx, e)
		return err
	})
	if err == nil && e.What != "" {
		l.wrote()
	}
	return err
}
