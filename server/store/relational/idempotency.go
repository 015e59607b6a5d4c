package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// keyed is a row about a change.
type keyed struct {
	request manifests.SHA256
	until   time.Time
	answer  store.Answer
}

func scanKeyed(r row) (k keyed, err error) {
	var header string
	err = r.Scan(fixed(k.request[:]), moment{&k.until}, &k.answer.Status, &header, &k.answer.Body)
	if err == nil {
		err = json.Unmarshal([]byte(header), &k.answer.Header)
	}
	return k, err
}

// BeginChange claims a key, or finds what became of its change.
func (l *Ledger) BeginChange(ctx context.Context, c store.KeyedChange) (was store.Answer, claimed bool, err error) {
	err = l.write(ctx, "begin change", func(tx *sql.Tx) error {
		was, claimed = store.Answer{}, false
		if _, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE expires_at <= $1`, seconds(c.Now)); err != nil {
			return err
		}
		k, err := one(ctx, tx, scanKeyed,
			`SELECT request_hash, claimed_until, status, header, body FROM idempotency WHERE who = $1 AND key_hash = $2`, c.Who, c.Key[:])
		switch {
		case errors.Is(err, store.ErrNotFound):
			claimed = true
			return addKeyed(ctx, tx, c)
		case err != nil:
			return err
		case k.request != c.Request:
			return store.ErrConflict
		case k.answer.Status != 0 || k.until.After(c.Now):
			was = k.answer
			return nil
		}
		claimed = true
		_, err = tx.ExecContext(ctx, `UPDATE idempotency SET claim = $1, claimed_until = $2 WHERE who = $3 AND key_hash = $4`,
			c.Claim, seconds(c.Now.Add(store.ClaimLife)), c.Who, c.Key[:])
		return err
	})
	return was, claimed && err == nil, err
}

func addKeyed(ctx context.Context, tx *sql.Tx, c store.KeyedChange) error {
	var have int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM idempotency WHERE who = $1`, c.Who).Scan(&have); err != nil {
		return err
	}
	if have >= store.MaxAnswers {
		return fmt.Errorf("%d changes are remembered: %w", have, store.ErrFull)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO idempotency
		(who, key_hash, request_hash, claim, claimed_until, status, header, body, expires_at) VALUES ($1, $2, $3, $4, $5, 0, '{}', $6, $7)`,
		c.Who, c.Key[:], c.Request[:], c.Claim, seconds(c.Now.Add(store.ClaimLife)), []byte{}, seconds(c.Now.Add(store.AnswerLife)))
	return err
}

// FinishChange keeps an answer.
func (l *Ledger) FinishChange(ctx context.Context, c store.KeyedChange, a store.Answer) error {
	header, err := json.Marshal(a.Header)
	if err != nil {
		return fmt.Errorf("finish change: %w", err)
	}
	return l.write(ctx, "finish change", func(tx *sql.Tx) error {
		return touch(ctx, tx, store.ErrStale,
			`UPDATE idempotency SET status = $1, header = $2, body = $3 WHERE who = $4 AND key_hash = $5 AND claim = $6 AND status = 0`,
			a.Status, string(header), append([]byte{}, a.Body...), c.Who, c.Key[:], c.Claim)
	})
}

// DropChange frees a key.
func (l *Ledger) DropChange(ctx context.Context, c store.KeyedChange) error {
	return l.write(ctx, "drop change", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE who = $1 AND key_hash = $2 AND claim = $3 AND status = 0`,
			c.Who, c.Key[:], c.Claim)
		return err
	})
}
