package sqlite

import (
	"database/sql"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/store/relational"
)

// Whoever carries a ledger elsewhere goes by the list of its tables. A table
// that a migration adds and the list does not know would be left behind.
func TestEveryTableIsCarriedByItsPrimaryKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := Create(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(file, "_txlock=immediate"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	rows, err := db.QueryContext(t.Context(), `SELECT m.name, COALESCE((SELECT group_concat(c.name || CASE c.type WHEN 'TEXT' THEN ':text' ELSE '' END, ' ')
		FROM (SELECT name, type FROM pragma_table_info(m.name) WHERE pk > 0 ORDER BY pk) AS c), '')
		FROM sqlite_master AS m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name, key string
		if err := rows.Scan(&name, &key); err != nil {
			t.Fatal(err)
		}
		have[name] = key
	}
	if err := errors.Join(rows.Err(), rows.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range relational.Unmoved() {
		if have[name] == "" {
			t.Errorf("there is no table %s", name)
		}
		delete(have, name)
	}
	listed := map[string]string{}
	for _, table := range relational.Tables() {
		var key []string
		for _, c := range table.Key {
			name := c.Name
			if c.Text {
				name += ":text"
			}
			key = append(key, name)
		}
		listed[table.Name] = strings.Join(key, " ")
	}
	if !maps.Equal(have, listed) {
		t.Errorf("the ledger has %v\nthe list has %v", slices.Sorted(maps.Keys(have)), listed)
		for name, key := range have {
			if listed[name] != key {
				t.Errorf("%s: %q; the list says %q", name, key, listed[name])
			}
		}
	}
}
