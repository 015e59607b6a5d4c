package carry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/server/store/relational"
)

// ErrTaken means that the target holds something else.
var ErrTaken = errors.New("holds something else; a move goes into an empty one, or into one that the same move began")

// ErrChanged means that somebody wrote to the source meanwhile.
var ErrChanged = errors.New("the source was written to while it was moved; stop every server on it, then begin anew with --again")

// pageRows is how many rows are written in one transaction.
const pageRows = 2000

// Moved is what a move of a ledger came to.
type Moved struct {
	Tables []Count    `json:"tables"`
	Rows   int64      `json:"rows"`
	Audit  audit.Head `json:"audit"` // of the log, whose chain was walked in the target
}

// MoveLedger copies every row of a ledger that nobody writes to into one that
// is empty, and compares all of it when it is there. Killed, it goes on at the
// last row that arrived when it is run again; again begins anew. say is told
// of each table.
func MoveLedger(ctx context.Context, from, to Ledger, again bool, say func(Count)) (Moved, error) {
	if err := Ready(ctx, from); err != nil {
		return Moved{}, fmt.Errorf("the source: %w", err)
	}
	source, err := identity(ctx, from)
	if err != nil {
		return Moved{}, err
	}
	mark, err := to.FilledFrom(ctx)
	if err != nil {
		return Moved{}, err
	}
	if mark != "" && mark != source {
		return Moved{}, fmt.Errorf("the target ledger is being filled from another one: %w", ErrTaken)
	}
	if mark == "" {
		done, err := begin(ctx, from, to, source)
		if err != nil {
			return Moved{}, err
		}
		if done { // by a run that was killed before it could say so
			return compared(ctx, from, to, say)
		}
	}
	if again {
		if err := to.Fill(ctx, "begin the move anew", func(f *relational.Filling) error { return f.Clear(ctx) }); err != nil {
			return Moved{}, err
		}
	}
	err = from.View(ctx, func(v *relational.View) error {
		for _, t := range relational.Tables() {
			if err := copyTable(ctx, v, to, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Moved{}, err
	}
	moved, err := compared(ctx, from, to, say)
	if err != nil {
		return moved, err
	}
	return moved, to.Fill(ctx, "end the move", func(f *relational.Filling) error { return f.End(ctx) })
}

// Fits tells at once what would stop a move of a ledger after the hours that its
// objects take: a source that is not whole, a target that holds something else.
func Fits(ctx context.Context, from, to Ledger) error {
	if err := Ready(ctx, from); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	source, err := identity(ctx, from)
	if err != nil {
		return err
	}
	mark, err := to.FilledFrom(ctx)
	if err != nil {
		return err
	}
	if mark != "" {
		if mark != source {
			return fmt.Errorf("the target ledger is being filled from another one: %w", ErrTaken)
		}
		return nil
	}
	there, err := identity(ctx, to)
	if err == nil && there != emptyLedger && there != source {
		err = fmt.Errorf("the target ledger is another one: it %w", ErrTaken)
	}
	return err
}

// emptyLedger is the identity of one in which nothing has happened.
const emptyLedger = "empty"

// identity names a ledger by its first audit entry, which no other has.
func identity(ctx context.Context, l Ledger) (string, error) {
	name := emptyLedger
	err := l.View(ctx, func(v *relational.View) error {
		err := v.Rows(ctx, table("audit"), []string{"hash"}, nil, func(r relational.Row) error {
			hash, ok := r[0].([]byte)
			if !ok || len(hash) != len(manifests.SHA256{}) {
				return errors.New("the first entry of the audit log has no hash")
			}
			name = manifests.SHA256(hash).String()
			return errEnough
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	return name, err
}

// errEnough ends a walk over rows early.
var errEnough = errors.New("enough")

func table(name string) relational.Table {
	all := relational.Tables()
	return all[slices.IndexFunc(all, func(t relational.Table) bool { return t.Name == name })]
}

// begin marks an empty target. One that has rows and no mark is either what a
// finished move left, or something else.
func begin(ctx context.Context, from, to Ledger, source string) (done bool, err error) {
	var occupied string
	err = to.Fill(ctx, "begin the move", func(f *relational.Filling) (err error) {
		if occupied, err = f.Occupied(ctx); err != nil || occupied != "" {
			return err
		}
		return f.Begin(ctx, source)
	})
	if err != nil || occupied == "" {
		return false, err
	}
	if _, err := compared(ctx, from, to, func(Count) {}); err != nil {
		return false, fmt.Errorf("the target ledger has rows in %s: %w", occupied, ErrTaken)
	}
	return true, nil
}

// copyTable writes the rows that come after the last one in the target.
func copyTable(ctx context.Context, v *relational.View, to Ledger, t relational.Table) error {
	columns, err := v.Columns(ctx, t)
	if err != nil {
		return err
	}
	var last relational.Row
	err = to.View(ctx, func(v *relational.View) error {
		theirs, err := v.Columns(ctx, t)
		if err != nil {
			return err
		}
		if !sameSet(columns, theirs) {
			return fmt.Errorf("table %s has the columns %v in one ledger and %v in the other; use one version of the program", t.Name, columns, theirs)
		}
		last, err = v.Last(ctx, t)
		return err
	})
	if err != nil {
		return err
	}
	var page []relational.Row
	flush := func() error {
		rows := page
		page = nil
		if len(rows) == 0 {
			return nil
		}
		return to.Fill(ctx, "move table "+t.Name, func(f *relational.Filling) error { return f.Insert(ctx, t, columns, rows) })
	}
	err = v.Rows(ctx, t, columns, last, func(r relational.Row) error {
		if page = append(page, r); len(page) < pageRows {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// compared reads both ledgers to the end and tells what they hold, if it is the
// same, and walks the chain of the target's audit log.
func compared(ctx context.Context, from, to Ledger, say func(Count)) (Moved, error) {
	var m Moved
	err := from.View(ctx, func(a *relational.View) error {
		return to.View(ctx, func(b *relational.View) error {
			for _, t := range relational.Tables() {
				columns, err := a.Columns(ctx, t)
				if err != nil {
					return err
				}
				want, err := digest(ctx, a, t, columns)
				if err != nil {
					return err
				}
				got, err := digest(ctx, b, t, columns)
				if err != nil {
					return err
				}
				if got != want {
					return fmt.Errorf("table %s has %d rows in the source and %d in the target, or others: %w", t.Name, want.Rows, got.Rows, ErrChanged)
				}
				say(got)
				m.Tables, m.Rows = append(m.Tables, got), m.Rows+got.Rows
			}
			return nil
		})
	})
	if err != nil {
		return m, err
	}
	if err := to.VerifyAudit(ctx); err != nil {
		return m, fmt.Errorf("the audit log in the target: %w", err)
	}
	m.Audit, err = to.AuditHead(ctx)
	return m, err
}
