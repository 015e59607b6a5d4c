package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/candor-ota/candor/server/store"
)

var _ store.Servers = (*Ledger)(nil)

// forgotten is when a server that is gone is forgotten.
const forgotten = 30 * 24 * time.Hour

func scanServer(r row) (s store.Server, err error) {
	var facts string
	var alone int64
	if err := r.Scan(&s.ID, &s.Home, &alone, &facts, moment{&s.Started}, moment{&s.Seen}, &s.Name, &s.Program); err != nil {
		return s, err
	}
	s.Alone = alone != 0
	return s, json.Unmarshal([]byte(facts), &s.Facts)
}

// Announce puts a server on the roll.
func (l *Ledger) Announce(ctx context.Context, s store.Server) (store.Roll, error) {
	facts, err := json.Marshal(s.Facts)
	if err != nil {
		return store.Roll{}, fmt.Errorf("announce server: %w", err)
	}
	var roll store.Roll
	err = l.write(ctx, "announce server", func(tx *sql.Tx) error {
		if roll.Now, err = l.clock(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM servers WHERE id <> $1 AND (home = $2 OR seen_at < $3)`, s.ID, s.Home, seconds(roll.Now.Add(-forgotten)))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO servers (id, home, alone, facts, started_at, seen_at, name, program) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET facts = excluded.facts, seen_at = excluded.seen_at`,
			s.ID, s.Home, number(s.Alone), string(facts), seconds(s.Started), seconds(roll.Now), s.Name, s.Program)
		if err != nil {
			return err
		}
		roll.Others, err = all(ctx, tx, scanServer, `SELECT id, home, alone, facts, started_at, seen_at, name, program FROM servers WHERE id <> $1 ORDER BY seen_at DESC, id`, s.ID)
		if err != nil {
			return err
		}
		least, err := one(ctx, tx, scanNumber, `SELECT COALESCE(MAX(least), 0) FROM schema_rule`)
		roll.Outdated = least > newest
		return err
	})
	return roll, err
}

// Leave takes a server off the roll.
func (l *Ledger) Leave(ctx context.Context, id string) error {
	return l.write(ctx, "leave", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM servers WHERE id = $1`, id)
		return err
	})
}

// Clock reads the engine's clock.
func (l *Ledger) Clock(ctx context.Context) (time.Time, error) {
	t, err := l.clock(ctx, l.reader)
	if err != nil {
		err = fmt.Errorf("the ledger's clock: %w", err)
	}
	return t, err
}

func (l *Ledger) clock(ctx context.Context, q querier) (time.Time, error) {
	ms, err := one(ctx, q, scanNumber, `SELECT `+l.dialect.Clock())
	return time.UnixMilli(ms).UTC(), err
}

func scanNumber(r row) (n int64, err error) { return n, r.Scan(&n) }
