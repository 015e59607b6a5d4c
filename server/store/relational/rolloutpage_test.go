package relational

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// migrated is a database at a migration, of which this program knows others.
func migrated(t *testing.T, to int64) (*sql.DB, *goose.Provider) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := provider(db, goose.DialectSQLite3)
	if err == nil {
		_, err = p.UpTo(t.Context(), to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return db, p
}

func execute(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// planned is how the engine goes about a statement.
func planned(t *testing.T, db *sql.DB, query string, args []any) (plan string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan += step + "\n"
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return plan
}

// The newest of what is asked for stand next to each other in an index, in their
// order: what is read for a page is the page.
func TestAPageOfRolloutsIsReadFromAnIndexInItsOrder(t *testing.T) {
	db, _ := migrated(t, newest)
	one, two := []manifests.Product{"phone"}, []manifests.Product{"phone", "tablet"}
	for index, q := range map[string]store.RolloutQuery{
		"rollouts_created":         {Limit: 50},
		"rollouts_states":          {States: []string{"active", "held"}, Limit: 50},
		"rollouts_product_state":   {Products: two, States: []string{"active", "held"}, Limit: 50},
		"rollouts_product_build":   {Products: one, Build: 43, Limit: 50},
		"rollouts_product":         {Products: one, Limit: 50},
		"rollouts_channel":         {Channel: "beta", Limit: 50},
		"rollouts_product_channel": {Products: two, Channel: "beta", Limit: 50},
	} {
		query, args := page(q, ChannelSQLite)
		plan := planned(t, db, query, args)
		sorts := strings.Contains(plan, "TEMP B-TREE") && len(q.Products) < 2 && len(q.States) < 2 // parts are put in one order
		other := regexp.MustCompile(`INDEX (\w+)`).FindAllStringSubmatch(plan, -1)
		if len(other) == 0 || slices.ContainsFunc(other, func(m []string) bool { return m[1] != index }) || sorts {
			t.Errorf("%s: %s", index, plan)
		}
	}
	if plan := planned(t, db, `SELECT product, state, rollouts FROM rollout_states`, nil); strings.Contains(plan, "rollouts ") {
		t.Error(plan)
	}
}

// What was there before is counted and found, and so is what a server of the
// version before writes afterwards: it knows nothing of channel and numbers.
func TestHistoryFromBeforeThereWereNumbersIsCounted(t *testing.T) {
	db, p := migrated(t, newest-1)
	rollout := func(n int, state, channel string) string {
		return fmt.Sprintf(`INSERT INTO rollouts (id, product, build, state, document, version, sequence, created_at, updated_at)
			VALUES ('%d', 'phone', 43, '%s', '{"plan":{"channel":"%s"}}', 1, %d, %d, 1)`, n, state, channel, n, n)
	}
	execute(t, db, `INSERT INTO products VALUES ('phone', 1)`, `INSERT INTO releases VALUES ('phone', 43, '1', 'p', zeroblob(32), 1, 'published', 1, 'li')`,
		rollout(1, "complete", "stable"), rollout(2, "active", "beta"), rollout(3, "active", "stable"))
	is := func(want string) {
		t.Helper()
		var counts, beta string
		err := db.QueryRowContext(t.Context(), `SELECT group_concat(state || rollouts, ' ') FROM (SELECT * FROM rollout_states WHERE rollouts > 0 ORDER BY state)`).Scan(&counts)
		if err == nil {
			query, args := page(store.RolloutQuery{Channel: "beta"}, ChannelSQLite)
			err = db.QueryRowContext(t.Context(), `SELECT COALESCE(group_concat(id, ''), '') FROM (`+query+`)`, args...).Scan(&beta)
		}
		if got := counts + ", beta " + beta; err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	up := func() {
		t.Helper()
		if _, err := p.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	up()
	is("active2 complete1, beta 2")
	execute(t, db, rollout(4, "draft", "beta"),
		`UPDATE rollouts SET state = 'halted', document = '{"plan":{"channel":"beta"}}', version = version + 1 WHERE id = '3'`, `UPDATE rollouts SET version = 9 WHERE id = '1'`)
	is("active1 complete1 draft1 halted1, beta 432")
	if _, err := p.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	execute(t, db, rollout(5, "draft", "beta"), `UPDATE rollouts SET document = '{' WHERE id = '1'`) // damaged, which is no reason not to start
	up()
	is("active1 complete1 draft2 halted1, beta 5432")
	execute(t, db, `DELETE FROM rollouts WHERE state = 'draft'`)
	is("active1 complete1 halted1, beta 32")
}
