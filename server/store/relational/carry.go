package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Table is one of the ledger's, for whoever carries all of it elsewhere. A
// table that a migration adds is added to Tables or Unmoved: a test sees to it.
type Table struct {
	Name string
	Key  []Column // the primary key
}

// Column is a column of a key. Text is compared byte by byte on all engines.
type Column struct {
	Name string
	Text bool
}

func key(names ...string) (out []Column) {
	for _, n := range names {
		name, text := strings.CutSuffix(n, ":text")
		out = append(out, Column{name, text})
	}
	return out
}

// Tables gives every table that a copy takes over, those that others refer to
// first.
func Tables() []Table {
	return []Table{
		{"products", key("name:text")},
		{"releases", key("product:text", "build")},
		{"rollouts", key("id:text")},
		{"leases", key("name:text")},
		{"role_versions", key("role:text")},
		{"heads", key("name:text")},
		{"tokens", key("id:text")},
		{"logins", key("hash")},
		{"sessions", key("id:text")},
		{"idempotency", key("who:text", "key_hash")},
		{"hooks", key("name:text")},
		{"uploads", key("id:text")},
		{"batches", key("name:text")},
		{"batch_days", key("batch:text", "day")},
		{"enrolments", key("device_key")},
		{"vote_releases", key("id")},
		{"vote_issues", key("release_id", "key_set:text", "class:text", "tag")},
		{"vote_issued", key("release_id", "key_set:text", "class:text", "batch:text")},
		{"vote_marks", key("release_id", "first")},
		{"vote_cells", key("release_id", "key_set:text", "class:text", "cell")},
		{"vote_hours", key("release_id", "key_set:text", "hour")},
		{"vote_shown", key("release_id")},
		{"vote_history", key("release_id", "period")},
		{"lab_reports", key("product:text", "build", "device_key", "class:text")},
		{"lab_muted", key("device_key")},
		{"events", key("id:text")},
		{"event_words", key("event_id:text", "key_id:text", "reject")},
		{"event_remarks", key("event_id:text", "number")},
		{"audit", key("seq")},
	}
}

// Unmoved gives the tables that a copy of the ledger has of its own: the roll
// of the servers at work on this one, which would keep others from the copy,
// and what migrations say of themselves; and the numbers of rollouts, which a copy
// counts as they come in.
func Unmoved() []string { return []string{"servers", "schema_rule", "rollout_states"} }

// Row holds the values of a row in the order of its columns: int64, string,
// []byte or nil.
type Row []any

// View reads tables as of one moment.
type View struct {
	tx     *sql.Tx
	binary string // makes text compare byte by byte
}

// View runs f on the ledger as it is at one moment, while it is written to.
func (l *Ledger) View(ctx context.Context, f func(*View) error) (err error) {
	binary, err := l.binary(ctx)
	if err != nil {
		return err
	}
	tx, err := l.reader.BeginTx(ctx, &l.snapshot)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	defer func() {
		if end := tx.Rollback(); end != nil && !errors.Is(end, sql.ErrTxDone) {
			err = errors.Join(err, end)
		}
	}()
	if err := patient(ctx, tx, binary); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	return f(&View{tx, binary})
}

// patient lifts an engine's limits for a transaction that copies a ledger: it
// reads, and then writes elsewhere for a while, or the other way round. In that
// time it is idle, or the engine has more to send than is taken, which the limit
// of silence would take for a network that is gone.
func patient(ctx context.Context, tx *sql.Tx, binary string) error {
	if binary == "" {
		return nil // SQLite has none
	}
	for _, limit := range []string{"idle_in_transaction_session_timeout", "tcp_user_timeout"} {
		if _, err := tx.ExecContext(ctx, `SET LOCAL `+limit+` = 0`); err != nil {
			return err
		}
	}
	return nil
}

// binary asks the engine which it is: SQLite compares text by bytes by itself,
// and knows the name of that order otherwise than PostgreSQL.
func (l *Ledger) binary(ctx context.Context) (string, error) {
	var version string
	if l.reader.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version) == nil {
		return "", nil
	}
	err := l.reader.QueryRowContext(ctx, `SELECT version()`).Scan(&version)
	if err != nil {
		return "", fmt.Errorf("read the ledger: %w", err)
	}
	return ` COLLATE "C"`, nil
}

// Columns gives the names of a table's columns.
func (v *View) Columns(ctx context.Context, t Table) ([]string, error) {
	rows, err := v.tx.QueryContext(ctx, `SELECT * FROM `+t.Name+` LIMIT 0`)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name, err)
	}
	names, err := rows.Columns()
	return names, errors.Join(err, rows.Close())
}

// Rows hands over the rows after a key (nil: all), in the order of the key,
// with the columns as they are named. It ends with the first error of f.
func (v *View) Rows(ctx context.Context, t Table, columns []string, after Row, f func(Row) error) (err error) {
	keys := v.keys(t)
	query := `SELECT ` + strings.Join(columns, ", ") + ` FROM ` + t.Name
	if after != nil {
		query += ` WHERE (` + keys + `) > (` + places(1, len(after)) + `)`
	}
	rows, err := v.tx.QueryContext(ctx, query+` ORDER BY `+keys, after...)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		row := make(Row, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		if err := f(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	return nil
}

// Last gives the last key of a table, nil if it is empty.
func (v *View) Last(ctx context.Context, t Table) (Row, error) {
	names := make([]string, len(t.Key))
	order := make([]string, len(t.Key))
	last, into := make(Row, len(t.Key)), make([]any, len(t.Key))
	for i, c := range t.Key {
		names[i], order[i], into[i] = c.Name, v.key(c)+` DESC`, &last[i]
	}
	query := `SELECT ` + strings.Join(names, ", ") + ` FROM ` + t.Name + ` ORDER BY ` + strings.Join(order, ", ") + ` LIMIT 1`
	err := v.tx.QueryRowContext(ctx, query).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name, err)
	}
	return last, nil
}

func (v *View) key(c Column) string {
	if c.Text {
		return c.Name + v.binary
	}
	return c.Name
}

func (v *View) keys(t Table) string {
	names := make([]string, len(t.Key))
	for i, c := range t.Key {
		names[i] = v.key(c)
	}
	return strings.Join(names, ", ")
}

// places gives n placeholders from number first on.
func places(first, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(out, ", ")
}

// Filling writes whole rows, in one transaction.
type Filling struct{ tx *sql.Tx }

// Fill runs f in one transaction, alone among the ordered ones, which f may
// keep waiting for as long as it takes to read what it writes. f may run several
// times, of which only the last one counts.
func (l *Ledger) Fill(ctx context.Context, what string, f func(*Filling) error) error {
	binary, err := l.binary(ctx)
	if err != nil {
		return err
	}
	return l.write(ctx, what, func(tx *sql.Tx) error {
		if err := patient(ctx, tx, binary); err != nil {
			return err
		}
		return f(&Filling{tx})
	})
}

// maxValues is how many values one statement carries. Engines take many more,
// but SQLite looks for each of their names among all before it.
const maxValues = 1000

// Insert writes rows whose keys must not be there yet.
func (f *Filling) Insert(ctx context.Context, t Table, columns []string, rows []Row) error {
	for part := range slices.Chunk(rows, max(1, maxValues/len(columns))) {
		values := make([]any, 0, len(part)*len(columns))
		groups := make([]string, len(part))
		for i, row := range part {
			if len(row) != len(columns) {
				return fmt.Errorf("table %s: a row of %d values for %d columns", t.Name, len(row), len(columns))
			}
			groups[i] = `(` + places(len(values)+1, len(row)) + `)`
			for _, v := range row {
				if b, ok := v.([]byte); ok && b == nil {
					v = []byte{} // nothing is not unknown
				}
				values = append(values, v)
			}
		}
		_, err := f.tx.ExecContext(ctx, `INSERT INTO `+t.Name+` (`+strings.Join(columns, ", ")+`) VALUES `+strings.Join(groups, ", "), values...)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	return nil
}

// Occupied names a table that has rows, empty if none has.
func (f *Filling) Occupied(ctx context.Context) (string, error) {
	for _, t := range Tables() {
		var n int
		if err := f.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM `+t.Name+` LIMIT 1) AS one`).Scan(&n); err != nil {
			return "", fmt.Errorf("table %s: %w", t.Name, err)
		}
		if n > 0 {
			return t.Name, nil
		}
	}
	return "", nil
}

// Clear deletes all rows.
func (f *Filling) Clear(ctx context.Context) error {
	tables := Tables()
	slices.Reverse(tables)
	for _, t := range tables {
		if _, err := f.tx.ExecContext(ctx, `DELETE FROM `+t.Name); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	return nil
}

// A ledger that is being filled has one table more, which says from what, and
// nothing else may be done with it until it is full.
const markTable = "filling"

// Begin marks the ledger as one that is being filled.
func (f *Filling) Begin(ctx context.Context, source string) error {
	if _, err := f.tx.ExecContext(ctx, `CREATE TABLE `+markTable+` (source TEXT NOT NULL PRIMARY KEY)`); err != nil {
		return err
	}
	_, err := f.tx.ExecContext(ctx, `INSERT INTO `+markTable+` (source) VALUES ($1)`, source)
	return err
}

// End says that it is full.
func (f *Filling) End(ctx context.Context) error {
	_, err := f.tx.ExecContext(ctx, `DROP TABLE `+markTable)
	return err
}

// FilledFrom tells from what the ledger is being filled; empty if it is not.
func (l *Ledger) FilledFrom(ctx context.Context) (string, error) {
	binary, err := l.binary(ctx)
	if err != nil {
		return "", err
	}
	there := `SELECT COUNT(*) FROM sqlite_master WHERE name = $1`
	if binary != "" {
		there = `SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass($1)`
	}
	var n int
	var source string
	if err = l.reader.QueryRowContext(ctx, there, markTable).Scan(&n); err == nil && n > 0 {
		err = l.reader.QueryRowContext(ctx, `SELECT source FROM `+markTable).Scan(&source)
	}
	if err != nil {
		return "", fmt.Errorf("read the ledger: %w", err)
	}
	return source, nil
}
