package sqlite

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
	"github.com/candor-ota/candor/server/store/storetest"
)

// further is what a later version may do to the tables: add.
var further = []string{
	`ALTER TABLE heads ADD COLUMN later TEXT DEFAULT 'x'`,
	`ALTER TABLE rollouts ADD COLUMN later BIGINT NOT NULL DEFAULT 7`,
	`ALTER TABLE releases ADD COLUMN later TEXT`,
	`ALTER TABLE audit ADD COLUMN later TEXT`,
	`ALTER TABLE leases ADD COLUMN later TEXT`,
	`ALTER TABLE tokens ADD COLUMN later TEXT`,
	`ALTER TABLE uploads ADD COLUMN later TEXT`,
	`ALTER TABLE enrolments ADD COLUMN later TEXT`,
	`ALTER TABLE vote_releases ADD COLUMN later TEXT`,
	`ALTER TABLE vote_cells ADD COLUMN later TEXT`,
	`ALTER TABLE servers ADD COLUMN later TEXT`,
	`CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY)`,
	`INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, 1)`,
}

func change(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(file, "_txlock=immediate"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestServerOfTheVersionBeforeKeepsWorking runs every statement of this version
// against the tables of a later one: those that were open when it migrated, and
// those that start then.
func TestServerOfTheVersionBeforeKeepsWorking(t *testing.T) {
	files := map[store.Ledger]string{}
	storetest.Ledger(t, func(t *testing.T) store.Ledger {
		file, l := fresh(t)
		files[l] = file
		change(t, file, further...)
		return l
	}, func(t *testing.T, l store.Ledger) store.Ledger {
		must(t, l.Close())
		again, err := Open(t.Context(), files[l])
		must(t, err)
		t.Cleanup(func() { must(t, again.Close()) })
		return again
	})
}

func TestServerThatIsTooOldIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := Create(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	change(t, file, append(further, `INSERT INTO schema_rule (name, least) VALUES ('later', 1000)`)...)
	if roll, err := l.Announce(t.Context(), store.Server{ID: "old", Home: "x"}); err != nil || !roll.Outdated {
		t.Errorf("%+v, %v", roll, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), file); !errors.Is(err, relational.ErrTooNew) {
		t.Errorf("got %v", err)
	}
}
