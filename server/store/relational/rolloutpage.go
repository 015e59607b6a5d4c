package relational

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// conditions are joined by AND; each value has the next number.
type conditions struct {
	texts []string
	args  []any
}

// add adds a condition whose values are written as ?.
func (c *conditions) add(text string, args ...any) {
	for _, a := range args {
		c.args = append(c.args, a)
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", len(c.args)), 1)
	}
	c.texts = append(c.texts, text)
}

// among adds that a column has one of some values; none: whichever.
func (c *conditions) among(column string, values []string) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	c.add(column+` IN (`+strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")+`)`, args...)
}

func texts(products []manifests.Product) []string {
	out := make([]string, len(products))
	for i, p := range products {
		out[i] = string(p)
	}
	return out
}

// begins adds that one of some columns begins with a text, whatever the case.
func (c *conditions) begins(text string, columns ...string) {
	parts, args := make([]string, len(columns)), []any{}
	for i, column := range columns {
		parts[i] = `LOWER(SUBSTR(` + column + `, 1, ?)) = LOWER(?)`
		args = append(args, utf8.RuneCountInString(text), text)
	}
	c.add(`(`+strings.Join(parts, " OR ")+`)`, args...)
}

func (c *conditions) where() string {
	if len(c.texts) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(c.texts, " AND ")
}

// limit adds the most rows; 0: all.
func (c *conditions) limit(n int) string {
	if n == 0 {
		return ""
	}
	c.args = append(c.args, n)
	return fmt.Sprintf(` LIMIT $%d`, len(c.args))
}

// newestFirst is the order of pages.
const newestFirst = ` ORDER BY created_at DESC, id DESC`

// RolloutPage reads a part of the rollouts.
func (l *Ledger) RolloutPage(ctx context.Context, q store.RolloutQuery) ([]store.Rollout, error) {
	query, args := page(q, l.dialect.Channel())
	list, err := all(ctx, l.reader, scanRollout, query, args...)
	if err != nil {
		err = fmt.Errorf("page of rollouts: %w", err)
	}
	return list, err
}

// maxParts bounds the parts of one statement; SQLite takes 500.
const maxParts = 400

// page is the statement for a query. Each product and each state is a part of
// its own: an index then leads to the newest of it, however many the others have.
func page(q store.RolloutQuery, channel string) (query string, args []any) {
	var c conditions
	parts := []store.RolloutQuery{q}
	if n := len(q.Products); n > 1 && n <= maxParts {
		parts = parts[:0]
		for i := range q.Products {
			part := q
			part.Products = q.Products[i : i+1]
			parts = append(parts, part)
		}
	}
	if n := len(q.States); n > 1 && n*len(parts) <= maxParts {
		whole := parts
		parts = nil
		for _, part := range whole {
			for i := range q.States {
				part.States = q.States[i : i+1]
				parts = append(parts, part)
			}
		}
	}
	if len(parts) == 1 {
		return c.page(parts[0], channel), c.args
	}
	selects := make([]string, len(parts))
	for i, part := range parts {
		c.texts = nil
		selects[i] = fmt.Sprintf(`SELECT * FROM (%s) AS part%d`, c.page(part, channel), i)
	}
	query = strings.Join(selects, ` UNION ALL `) + newestFirst
	query += c.limit(q.Limit)
	return query, c.args
}

// page is the statement for a part.
func (c *conditions) page(q store.RolloutQuery, channel string) string {
	c.among(`product`, texts(q.Products))
	if q.Channel != "" {
		c.add(channel+` = ?`, q.Channel)
	}
	if q.Build != 0 {
		c.add(`build = ?`, q.Build)
	}
	c.among(`state`, q.States)
	if q.Search != "" {
		version := `COALESCE((SELECT version FROM releases f WHERE f.product = rollouts.product AND f.build = rollouts.build), '')`
		c.begins(q.Search, `id`, `CAST(build AS TEXT)`, version)
	}
	if q.Before != (store.RolloutMark{}) {
		at := seconds(q.Before.Created)
		c.add(`(created_at < ? OR created_at = ? AND id < ?)`, at, at, q.Before.ID)
	}
	query := `SELECT ` + rolloutColumns + ` FROM rollouts` + c.where() + newestFirst
	return query + c.limit(q.Limit)
}

// RolloutsBelow reads the rollouts of lower builds.
func (l *Ledger) RolloutsBelow(ctx context.Context, ref vote.Ref, states []string, limit int) ([]store.Rollout, error) {
	var c conditions
	c.add(`product = ? AND build < ?`, ref.Product, ref.Build)
	c.among(`state`, states)
	query := `SELECT ` + rolloutColumns + ` FROM rollouts` + c.where() + ` ORDER BY build DESC, sequence DESC`
	query += c.limit(limit)
	list, err := all(ctx, l.reader, scanRollout, query, c.args...)
	if err != nil {
		err = fmt.Errorf("rollouts before %s: %w", ref, err)
	}
	return list, err
}

// RolloutCounts reads what triggers counted.
func (l *Ledger) RolloutCounts(ctx context.Context) (map[manifests.Product]map[string]int, error) {
	out := map[manifests.Product]map[string]int{}
	_, err := all(ctx, l.reader, func(r row) (none struct{}, err error) {
		var product manifests.Product
		var state string
		var n int
		if err = r.Scan(&product, &state, &n); err == nil {
			if out[product] == nil {
				out[product] = map[string]int{}
			}
			out[product][state] = n
		}
		return none, err
	}, `SELECT product, state, rollouts FROM rollout_states WHERE rollouts > 0`)
	if err != nil {
		err = fmt.Errorf("number of rollouts: %w", err)
	}
	return out, err
}
