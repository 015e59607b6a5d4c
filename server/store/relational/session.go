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

// AddLogin records an attempt to sign in.
func (l *Ledger) AddLogin(ctx context.Context, v store.Login, most int, now time.Time) error {
	return l.write(ctx, "add login", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM logins WHERE expires_at <= $1`, seconds(now)); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM logins`).Scan(&n); err != nil {
			return err
		}
		if n >= most {
			return store.ErrFull
		}
		return touch(ctx, tx, store.ErrExists, `INSERT INTO logins (hash, next, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			v.Hash[:], v.Next, seconds(v.Expires))
	})
}

// TakeLogin reads and removes an attempt.
func (l *Ledger) TakeLogin(ctx context.Context, hash manifests.SHA256) (store.Login, error) {
	v := store.Login{Hash: hash}
	err := l.write(ctx, "take login", func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `DELETE FROM logins WHERE hash = $1 RETURNING next, expires_at`, hash[:]).Scan(&v.Next, moment{&v.Expires})
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		return err
	})
	return v, err
}

const sessionColumns = `id, hash, person, issuer, name, groups, created_at, seen_at, expires_at, token_id`

func scanSession(r row) (s store.Session, err error) {
	var groups string
	err = r.Scan(&s.ID, fixed(s.Hash[:]), &s.Person, &s.Issuer, &s.Name, &groups, moment{&s.Created}, moment{&s.Seen}, moment{&s.Expires}, &s.Token)
	if err == nil {
		err = json.Unmarshal([]byte(groups), &s.Groups)
	}
	return s, err
}

// AddSession records that somebody has signed in.
func (l *Ledger) AddSession(ctx context.Context, s store.Session, e store.Entry) error {
	groups, err := json.Marshal(append([]string{}, s.Groups...))
	if err != nil {
		return fmt.Errorf("add session: %w", err)
	}
	return l.audited(ctx, e, "add session", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, seconds(s.Created)); err != nil {
			return err
		}
		return touch(ctx, tx, store.ErrExists,
			`INSERT INTO sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
			s.ID, s.Hash[:], s.Person, s.Issuer, s.Name, string(groups), seconds(s.Created), seconds(s.Seen), seconds(s.Expires), s.Token)
	})
}

// SessionByHash reads a session.
func (l *Ledger) SessionByHash(ctx context.Context, hash manifests.SHA256) (store.Session, error) {
	s, err := one(ctx, l.reader, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE hash = $1`, hash[:])
	if err != nil {
		err = fmt.Errorf("session: %w", err)
	}
	return s, err
}

// chosen picks the sessions of a query: an empty argument picks all.
const chosen = ` WHERE ($1 = '' OR id = $1) AND ($2 = '' OR person = $2)`

// SessionList reads the sessions of a query.
func (l *Ledger) SessionList(ctx context.Context, q store.SessionQuery) ([]store.Session, error) {
	list, err := all(ctx, l.reader, scanSession, `SELECT `+sessionColumns+` FROM sessions`+chosen+` ORDER BY created_at DESC, id`, q.ID, q.Person)
	if err != nil {
		err = fmt.Errorf("sessions: %w", err)
	}
	return list, err
}

// TouchSession records a use.
func (l *Ledger) TouchSession(ctx context.Context, id string, seen time.Time) error {
	return l.write(ctx, "touch session", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET seen_at = $1 WHERE id = $2 AND seen_at < $1`, seconds(seen), id)
		return err
	})
}

// EndSessions removes the sessions of a query.
func (l *Ledger) EndSessions(ctx context.Context, q store.SessionQuery, e store.Entry) (int, error) {
	var n int64
	err := l.audited(ctx, e, "end sessions", func(tx *sql.Tx) (err error) {
		n, err = changed(ctx, tx, `DELETE FROM sessions`+chosen, q.ID, q.Person)
		if err == nil && n == 0 {
			err = errUnchanged
		}
		return err
	})
	return int(n), err
}
