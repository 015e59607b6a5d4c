package relational

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// maxKinds is how many kinds of entry are looked up one by one in their index.
// What picks more is in most of the log, which is then read as it stands.
const maxKinds = 40

// Entries reads a part of the log.
func (l *Ledger) Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error) {
	list, err := l.entries(ctx, q)
	if err != nil {
		err = fmt.Errorf("audit log: %w", err)
	}
	return list, err
}

func (l *Ledger) entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error) {
	b := entryQuery{EntryQuery: q}
	where := b.where()
	if q.What == "" {
		return all(ctx, l.reader, scanEntry, b.selected(where), b.args...)
	}
	kinds, err := l.kinds(ctx, q.What)
	if err != nil || len(kinds) == 0 {
		return nil, err
	}
	if len(kinds) > maxKinds {
		where += ` AND what LIKE ` + b.arg(like(q.What)+"%") + escaped
		return all(ctx, l.reader, scanEntry, b.selected(where), b.args...)
	}
	parts := make([]string, len(kinds))
	for i, kind := range kinds {
		parts[i] = fmt.Sprintf(`SELECT * FROM (%s) AS kind%d`, b.selected(where+` AND what = `+b.arg(kind)), i)
	}
	return all(ctx, l.reader, scanEntry, strings.Join(parts, ` UNION ALL `)+b.order(), b.args...)
}

// entryQuery collects the arguments of a query.
type entryQuery struct {
	store.EntryQuery
	args []any
}

func (b *entryQuery) arg(v any) string {
	b.args = append(b.args, v)
	return fmt.Sprintf(`$%d`, len(b.args))
}

// escaped goes with patterns of like.
const escaped = ` ESCAPE '\'`

// like makes a text mean itself in a pattern.
func like(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// where is every condition but the kind.
func (b *entryQuery) where() string {
	where := `seq > ` + b.arg(b.After)
	if b.Before != 0 {
		where += ` AND seq < ` + b.arg(b.Before)
	}
	if b.Subject != "" {
		where += ` AND subject = ` + b.arg(b.Subject)
	}
	if b.Who != "" { // engines differ in which letters LOWER knows
		as, folded := b.arg("%"+like(b.Who)+"%"), b.arg("%"+like(strings.ToLower(b.Who))+"%")
		where += ` AND (who LIKE ` + as + escaped + ` OR LOWER(who) LIKE ` + folded + escaped + `)`
	}
	return where
}

func (b *entryQuery) selected(where string) string {
	return `SELECT ` + entryColumns + ` FROM audit WHERE ` + where + b.order()
}

func (b *entryQuery) order() string {
	order := ` ORDER BY seq`
	if b.Newest {
		order += ` DESC`
	}
	if b.Limit > 0 {
		order += fmt.Sprintf(` LIMIT %d`, b.Limit)
	}
	return order
}

// kinds gives what entries say that was done, of those that begin so, each once:
// by a step in the index for every kind there is, however long the log.
func (l *Ledger) kinds(ctx context.Context, prefix string) ([]string, error) {
	every, err := all(ctx, l.reader, func(r row) (kind string, err error) { return kind, r.Scan(&kind) }, `
		WITH RECURSIVE kinds(what) AS (
			SELECT MIN(what) FROM audit
			UNION ALL
			SELECT (SELECT MIN(what) FROM audit WHERE what > kinds.what) FROM kinds WHERE kinds.what IS NOT NULL
		) SELECT what FROM kinds WHERE what IS NOT NULL`)
	var out []string
	for _, kind := range every {
		if strings.HasPrefix(kind, prefix) {
			out = append(out, kind)
		}
	}
	return out, err
}

// AuditBetween finds where in the log a time begins and ends. Clocks may have
// been set back, so it is not the entry nearest in time that counts. The sum
// keeps the engines from walking the log from its end instead of the index.
func (l *Ledger) AuditBetween(ctx context.Context, since, until time.Time) (first, last int64, err error) {
	first, last = 1, math.MaxInt64-1
	number := func(query string, at time.Time, none int64) int64 {
		var n sql.NullInt64
		if err == nil {
			err = l.reader.QueryRowContext(ctx, query, seconds(at)).Scan(&n)
		}
		if !n.Valid {
			return none
		}
		return n.Int64
	}
	if !since.IsZero() {
		first = number(`SELECT MIN(seq + 0) FROM audit WHERE at >= $1`, since, math.MaxInt64-1)
	}
	if !until.IsZero() {
		last = number(`SELECT MAX(seq + 0) FROM audit WHERE at <= $1`, until, 0)
	}
	if err != nil {
		err = fmt.Errorf("audit log between %s and %s: %w", since.Format(time.RFC3339), until.Format(time.RFC3339), err)
	}
	return first, last, err
}
