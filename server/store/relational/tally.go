package relational

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// tally adds up counts that a group writes at its end.
type tally[K comparable] map[K]int64

func (t *tally[K]) add(k K) {
	if *t == nil {
		*t = tally[K]{}
	}
	(*t)[k]++
}

// counters is a table of counts: its key's columns, and then count.
type counters struct {
	table string
	key   []string
}

var (
	cellCounters   = counters{"vote_cells", []string{"release_id", "key_set", "class", "cell"}}
	hourCounters   = counters{"vote_hours", []string{"release_id", "key_set", "hour"}}
	issuedCounters = counters{"vote_issued", []string{"release_id", "key_set", "class", "batch"}}
)

// flush writes the counts.
func (b *batch) flush(ctx context.Context) error {
	err := write(ctx, b.tx, cellCounters, b.cells, func(k cellKey) []any { return []any{k.release, k.set, k.class, k.cell} })
	if err != nil {
		return err
	}
	err = write(ctx, b.tx, hourCounters, b.hours, func(k hourKey) []any { return []any{k.release, k.set, k.hour} })
	if err != nil {
		return err
	}
	return write(ctx, b.tx, issuedCounters, b.issued, func(k issuedKey) []any { return []any{k.release, k.set, k.class, k.batch} })
}

// countsAtOnce bounds the rows of a statement.
const countsAtOnce = 64

// write adds counts to their rows. They are sorted, so that replicas take them
// in one order and never wait for each other in a circle.
func write[K comparable](ctx context.Context, tx *sql.Tx, c counters, t tally[K], values func(K) []any) error {
	type line struct {
		order string
		args  []any
	}
	lines := make([]line, 0, len(t))
	for k, n := range t {
		v := values(k)
		lines = append(lines, line{fmt.Sprint(v...), append(v, n)})
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.order, b.order) })
	for part := range slices.Chunk(lines, countsAtOnce) {
		var args []any
		for _, l := range part {
			args = append(args, l.args...)
		}
		if _, err := tx.ExecContext(ctx, c.upsert(len(part)), args...); err != nil {
			return err
		}
	}
	return nil
}

// upsert is the statement that adds to n counts.
func (c counters) upsert(n int) string {
	columns := strings.Join(c.key, ", ")
	return fmt.Sprintf(`INSERT INTO %s (%s, count) VALUES %s ON CONFLICT (%s) DO UPDATE SET count = %s.count + excluded.count`,
		c.table, columns, Rows(n, len(c.key)+1), columns, c.table)
}

// Rows is the placeholders of n rows: ($1, $2), ($3, $4), ….
func Rows(n, columns int) string {
	var b strings.Builder
	for i := range n * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String() + ")"
}
