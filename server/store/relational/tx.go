package relational

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// How long a write is repeated: what it lost to others is over in moments, and
// an engine that restarts is back in seconds.
const (
	patience  = 4 * time.Second
	firstWait = 2 * time.Millisecond
	longWait  = 250 * time.Millisecond
)

// write runs f in one ordered transaction; what names it in errors. f may run
// several times, of which only the last one counts.
func (l *Ledger) write(ctx context.Context, what string, f func(*sql.Tx) error) error {
	return l.writeAside(ctx, what, func(tx *sql.Tx) error {
		if err := l.dialect.Order(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
}

// writeAside is write without the order, for what guards itself row by row.
func (l *Ledger) writeAside(ctx context.Context, what string, f func(*sql.Tx) error) error {
	if err := l.repeat(ctx, l.writer, false, f); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// repeat runs f in a transaction until it commits or there is no hope. Where
// f is harmless when done twice, also after a commit whose answer was lost.
func (l *Ledger) repeat(ctx context.Context, db *sql.DB, harmless bool, f func(*sql.Tx) error) error {
	end := time.Now().Add(patience)
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		committing, err := transact(ctx, db, f)
		if err == nil {
			return nil
		}
		verdict, told := l.dialect.Judge(err)
		hopeless := verdict == Final || verdict == Gone && committing && !harmless
		if hopeless || ctx.Err() != nil || time.Now().After(end) {
			return told
		}
		if !pause(ctx, wait/2+rand.N(wait)) {
			return errors.Join(told, ctx.Err())
		}
	}
}

// transact runs f in a transaction; committing tells whether the error is that
// of the commit.
func transact(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) (committing bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	if err := f(tx); err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) && !errors.Is(undo, driver.ErrBadConn) {
			err = errors.Join(err, undo)
		}
		return false, err
	}
	return true, tx.Commit()
}

// pause waits, and tells whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errUnchanged ends an audited write that found nothing to do.
var errUnchanged = errors.New("unchanged")

// audited runs f and appends e in the same transaction, unless f gives
// errUnchanged: a repeated call leaves one entry.
func (l *Ledger) audited(ctx context.Context, e store.Entry, what string, f func(*sql.Tx) error) error {
	err := l.write(ctx, what, func(tx *sql.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		if _, err := appendEntry(ctx, tx, e); err != nil {
			return err
		}
		return l.dialect.Announce(ctx, tx, auditLog)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		l.wrote()
	}
	return err
}

// changed runs a statement and tells how many rows it touched.
func changed(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error) {
	r, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// touch runs a statement that touches a row unless something stands in its
// way; taken is given if it did.
func touch(ctx context.Context, tx *sql.Tx, taken error, query string, args ...any) error {
	n, err := changed(ctx, tx, query, args...)
	if err == nil && n == 0 {
		return taken
	}
	return err
}

// seconds is how a time is stored; the zero time is 0.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// moment reads a stored time.
type moment struct{ t *time.Time }

func (m moment) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", v)
	}
	*m.t = time.Time{}
	if n != 0 {
		*m.t = time.Unix(n, 0).UTC()
	}
	return nil
}

// fixed reads bytes of one length; NULL leaves them zero.
type fixed []byte

func (f fixed) Scan(v any) error {
	if v == nil {
		clear(f)
		return nil
	}
	b, ok := v.([]byte)
	if !ok || len(b) != len(f) {
		return fmt.Errorf("stored are %T of another length than %d bytes", v, len(f))
	}
	copy(f, b)
	return nil
}

// Fixed reads bytes of the length of into; NULL leaves them zero.
func Fixed(into []byte) sql.Scanner { return fixed(into) }

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
