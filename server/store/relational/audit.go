package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/server/store"
)

const entryColumns = `seq, at, who, what, subject, why, detail, prev, hash`

func scanEntry(r row) (e store.Entry, err error) {
	var detail string
	err = r.Scan(&e.Seq, moment{&e.At}, &e.Who, &e.What, &e.Subject, &e.Why, &detail, fixed(e.Prev[:]), fixed(e.Hash[:]))
	if err != nil && e.Seq != 0 { // the columns before the one that is damaged
		return e, &audit.Broken{Seq: e.Seq, What: "cannot be read: " + err.Error()}
	}
	if detail != "" {
		e.Detail = json.RawMessage(detail)
	}
	return e, err
}

// auditLog is what other replicas are told has moved when the log has grown.
const auditLog = "audit"

// appendEntry links e to the last entry and writes it.
func appendEntry(ctx context.Context, tx *sql.Tx, e store.Entry) (store.Entry, error) {
	if e.Who == "" || e.What == "" || e.At.Unix() <= 0 || len(e.Detail) > 0 && !json.Valid(e.Detail) {
		return e, fmt.Errorf("audit entry %q by %q: who, what and when are needed, and JSON as detail", e.What, e.Who)
	}
	for _, text := range []string{e.Who, e.What, e.Subject, e.Why, string(e.Detail)} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return e, fmt.Errorf("audit entry %q by %q: %q is not text in UTF-8", e.What, e.Who, text)
		}
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
		if e, err = appendEntry(ctx, tx, e); err != nil {
			return err
		}
		return l.dialect.Announce(ctx, tx, auditLog)
	})
	if err == nil {
		l.wrote()
	}
	return e, err
}

// Walk reads the log page by page, so that no long read holds up the writers.
func (l *Ledger) Walk(ctx context.Context, after int64, f func(store.Entry) error) error {
	const page = 500
	for {
		list, err := l.Entries(ctx, store.EntryQuery{After: after, Limit: page})
		for _, e := range list { // also those before one that cannot be read
			if err := f(e); err != nil {
				return err
			}
			after = e.Seq
		}
		if err != nil {
			return err
		}
		if len(list) < page {
			return nil
		}
	}
}

// VerifyAudit walks the chain from its beginning, and before it: a row with a
// number below 1 belongs to no chain.
func (l *Ledger) VerifyAudit(ctx context.Context) error {
	chain := audit.Chain{Whole: true}
	return l.Walk(ctx, math.MinInt64, chain.Add)
}

// AuditHead reads the last entry.
func (l *Ledger) AuditHead(ctx context.Context) (audit.Head, error) {
	e, err := one(ctx, l.reader, scanEntry, `SELECT `+entryColumns+` FROM audit ORDER BY seq DESC LIMIT 1`)
	if errors.Is(err, store.ErrNotFound) {
		return audit.Head{}, nil
	}
	if err != nil {
		return audit.Head{}, fmt.Errorf("head of the audit log: %w", err)
	}
	return audit.Head{Seq: e.Seq, Hash: e.Hash}, nil
}
