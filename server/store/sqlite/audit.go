package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

const entryColumns = `seq, at, who, what, subject, why, detail, prev, hash`

func scanEntry(r row) (e store.Entry, err error) {
	var detail string
	err = r.Scan(&e.Seq, moment{&e.At}, &e.Who, &e.What, &e.Subject, &e.Why, &detail, fixed(e.Prev[:]), fixed(e.Hash[:]))
	if detail != "" {
		e.Detail = json.RawMessage(detail)
	}
	return e, err
}

// appendEntry links e to the last entry and writes it.
func appendEntry(ctx context.Context, tx *sql.Tx, e store.Entry) (store.Entry, error) {
	if e.Who == "" || e.What == "" || e.At.Unix() <= 0 || len(e.Detail) > 0 && !json.Valid(e.Detail) {
		return e, fmt.Errorf("audit entry %q by %q: who, what and when are needed, and JSON as detail", e.What, e.Who)
	}
	last, err := one(ctx, tx, scanEntry, `SELECT `+entryColumns+` FROM audit ORDER BY seq DESC LIMIT 1`)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return e, err
	}
	e.Seq, e.Prev = last.Seq+1, last.Hash
	e.Hash = e.Sum()
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (`+entryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.Seq, seconds(e.At), e.Who, e.What, e.Subject, e.Why, string(e.Detail), e.Prev[:], e.Hash[:])
	return e, err
}

// Append writes an entry on its own.
func (l *Ledger) Append(ctx context.Context, e store.Entry) (store.Entry, error) {
	err := l.write(ctx, "append to audit log", func(tx *sql.Tx) (err error) {
		e, err = appendEntry(ctx, tx, e)
		return err
	})
	return e, err
}

// Entries reads a part of the log.
func (l *Ledger) Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error) {
	query := `SELECT ` + entryColumns + ` FROM audit WHERE seq > $1`
	args := []any{q.After}
	if q.Subject != "" {
		args = append(args, q.Subject)
		query += fmt.Sprintf(` AND subject = $%d`, len(args))
	}
	query += ` ORDER BY seq`
	if q.Limit > 0 {
		args = append(args, q.Limit)
		query += fmt.Sprintf(` LIMIT $%d`, len(args))
	}
	list, err := all(ctx, l.reader, scanEntry, query, args...)
	if err != nil {
		err = fmt.Errorf("audit log: %w", err)
	}
	return list, err
}

const auditPage = 1000

// VerifyAudit walks the chain from its beginning.
func (l *Ledger) VerifyAudit(ctx context.Context) error {
	var seq int64
	var prev manifests.SHA256
	for {
		page, err := l.Entries(ctx, store.EntryQuery{After: seq, Limit: auditPage})
		if err != nil {
			return err
		}
		for _, e := range page {
			seq++
			if e.Seq != seq || e.Prev != prev || e.Hash != e.Sum() {
				return fmt.Errorf("audit log: entry %d (%s by %s) does not follow from entry %d: the log was changed", e.Seq, e.What, e.Who, seq-1)
			}
			prev = e.Hash
		}
		if len(page) < auditPage {
			return nil
		}
	}
}
