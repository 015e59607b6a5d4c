package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

const (
	eventFields   = `id, kind, product, build, state, facts, expires_at, opened_at, opened_by, owner, changed_at, version, sequence`
	eventColumns  = eventFields + `, body`
	wordColumns   = `key_id, reject, said, at, added_by`
	remarkColumns = `number, at, added_by, person, reject, text`
)

// scanEvent reads eventFields, and eventColumns if whole.
func scanEvent(whole bool) func(row) (store.Event, error) {
	return func(r row) (v store.Event, err error) {
		var facts string
		into := []any{
			&v.ID, &v.Kind, &v.Product, &v.Build, &v.State, &facts,
			moment{&v.Expires},
			moment{&v.Opened},
			&v.OpenedBy, &v.Owner,
			moment{&v.Changed},
			&v.Version, &v.Sequence,
		}
		if whole {
			into = append(into, &v.Body)
		}
		err = r.Scan(into...)
		v.Facts = []byte(facts)
		return v, err
	}
}

func scanWord(r row) (w store.EventWord, err error) {
	var said string
	err = r.Scan(&w.KeyID, truth{&w.Reject}, &said, moment{&w.At}, &w.By)
	w.Said = []byte(said)
	return w, err
}

func scanRemark(r row) (m store.EventRemark, err error) {
	return m, r.Scan(&m.Number, moment{&m.At}, &m.By, &m.Person, truth{&m.Reject}, &m.Text)
}

// truth reads a stored 0 or 1.
type truth struct{ b *bool }

func (t truth) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a yes or no is stored as %T", v)
	}
	*t.b = n != 0
	return nil
}

// AddEvent opens an event.
func (l *Ledger) AddEvent(ctx context.Context, v store.Event, e store.Entry) (store.Event, error) {
	v.Version = 1
	err := l.audited(ctx, e, fmt.Sprintf("open event %.12s", v.ID), func(tx *sql.Tx) error {
		var open int64
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM events WHERE state = $1`, store.EventOpen).Scan(&open)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(sequence), 0) + 1 FROM events`).Scan(&v.Sequence)
		if err != nil {
			return err
		}
		err = touch(ctx, tx, store.ErrExists, `INSERT INTO events (`+eventColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
			v.ID, v.Kind, v.Product, v.Build, v.State, string(v.Facts), seconds(v.Expires), seconds(v.Opened), v.OpenedBy, v.Owner,
			seconds(v.Changed), v.Version, v.Sequence, v.Body)
		if err != nil {
			return err
		}
		if open >= store.MaxOpenEvents {
			return fmt.Errorf("%d events are open: %w", open, store.ErrFull)
		}
		_, err = addWords(ctx, tx, v.ID, v.Words)
		return err
	})
	return v, err
}

func addWords(ctx context.Context, tx *sql.Tx, id string, words []store.EventWord) (added int, err error) {
	for _, w := range words {
		n, err := changed(ctx, tx, `INSERT INTO event_words (event_id, `+wordColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			id, w.KeyID, number(w.Reject), string(w.Said), seconds(w.At), w.By)
		if err != nil {
			return added, err
		}
		added += int(n)
	}
	return added, atMost(ctx, tx, `SELECT COUNT(*) FROM event_words WHERE event_id = $1`, id, store.MaxEventWords)
}

// atMost is ErrFull if there are more rows of an event than that.
func atMost(ctx context.Context, tx *sql.Tx, query, id string, most int64) error {
	var have int64
	if err := tx.QueryRowContext(ctx, query, id).Scan(&have); err != nil {
		return err
	}
	if have > most {
		return fmt.Errorf("at most %d: %w", most, store.ErrFull)
	}
	return nil
}

// Event reads an event.
func (l *Ledger) Event(ctx context.Context, id string) (store.Event, error) {
	v, err := one(ctx, l.reader, scanEvent(true), `SELECT `+eventColumns+` FROM events WHERE id = $1`, id)
	if err == nil {
		err = l.said(ctx, &v)
	}
	if err != nil {
		err = fmt.Errorf("event %.12s: %w", id, err)
	}
	return v, err
}

// said reads what was said about an event.
func (l *Ledger) said(ctx context.Context, v *store.Event) (err error) {
	v.Words, err = all(ctx, l.reader, scanWord, `SELECT `+wordColumns+` FROM event_words WHERE event_id = $1 ORDER BY at, key_id, reject`, v.ID)
	if err == nil {
		v.Remarks, err = all(ctx, l.reader, scanRemark, `SELECT `+remarkColumns+` FROM event_remarks WHERE event_id = $1 ORDER BY number`, v.ID)
	}
	return err
}

// Events reads events.
func (l *Ledger) Events(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	where, args := []string{`1 = 1`}, []any{}
	also := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if q.Release != (vote.Ref{}) {
		also(`product = $%d`, q.Release.Product)
		also(`build = $%d`, q.Release.Build)
	}
	if q.Open {
		also(`state = $%d`, store.EventOpen)
	}
	if q.Prefix != "" { // of hex digits, so nothing in it means anything to LIKE
		also(`id LIKE $%d`, q.Prefix+"%")
	}
	if q.Before > 0 {
		also(`sequence < $%d`, q.Before)
	}
	query := `SELECT ` + eventFields + ` FROM events WHERE ` + strings.Join(where, ` AND `) + ` ORDER BY sequence DESC`
	if q.Limit > 0 {
		query += fmt.Sprintf(` LIMIT %d`, q.Limit)
	}
	list, err := all(ctx, l.reader, scanEvent(false), query, args...)
	for i := range list {
		if err == nil {
			err = l.said(ctx, &list[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return list, nil
}

// eventState reads where an event stands.
func eventState(ctx context.Context, tx *sql.Tx, id string) (state store.EventState, version int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT state, version FROM events WHERE id = $1`, id).Scan(&state, &version)
	return state, version, found(err)
}

// changeEvent notes that an event has changed.
func changeEvent(ctx context.Context, tx *sql.Tx, id string, to store.EventState, e store.Entry) error {
	_, err := tx.ExecContext(ctx, `UPDATE events SET state = $1, changed_at = $2, version = version + 1 WHERE id = $3`, to, seconds(e.At), id)
	return err
}

// AddWords keeps what keys have said.
func (l *Ledger) AddWords(ctx context.Context, id string, version int64, words []store.EventWord, e store.Entry) (added int, err error) {
	err = l.audited(ctx, e, fmt.Sprintf("sign event %.12s", id), func(tx *sql.Tx) error {
		state, now, err := eventState(ctx, tx, id)
		if err != nil {
			return err
		}
		added, err = addWords(ctx, tx, id, words)
		switch {
		case err != nil:
			return err
		case added == 0:
			return errUnchanged
		case state != store.EventOpen || version != now:
			return fmt.Errorf("it is %s, version %d: %w", state, now, store.ErrStale)
		}
		return changeEvent(ctx, tx, id, state, e)
	})
	if err != nil {
		added = 0
	}
	return added, err
}

// AddRemark keeps what a person said.
func (l *Ledger) AddRemark(ctx context.Context, id string, r store.EventRemark, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("remark on event %.12s", id), func(tx *sql.Tx) error {
		state, _, err := eventState(ctx, tx, id)
		if err != nil {
			return err
		}
		last, err := one(ctx, tx, scanRemark, `SELECT `+remarkColumns+` FROM event_remarks WHERE event_id = $1 AND person = $2 ORDER BY number DESC LIMIT 1`, id, r.Person)
		if err == nil && last.Text == r.Text && last.Reject == r.Reject {
			return errUnchanged
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO event_remarks (event_id, `+remarkColumns+`)
			VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM event_remarks WHERE event_id = $1), $2, $3, $4, $5, $6)`,
			id, seconds(r.At), r.By, r.Person, number(r.Reject), r.Text)
		if err == nil {
			err = atMost(ctx, tx, `SELECT COUNT(*) FROM event_remarks WHERE event_id = $1`, id, store.MaxEventRemarks)
		}
		if err != nil {
			return err
		}
		return changeEvent(ctx, tx, id, state, e)
	})
}

// MoveEvent ends an event.
func (l *Ledger) MoveEvent(ctx context.Context, id string, version int64, to store.EventState, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("end event %.12s", id), func(tx *sql.Tx) error {
		state, now, err := eventState(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case state == to:
			return errUnchanged
		case state != store.EventOpen || version != 0 && version != now:
			return fmt.Errorf("it is %s, version %d: %w", state, now, store.ErrStale)
		}
		return changeEvent(ctx, tx, id, to, e)
	})
}
