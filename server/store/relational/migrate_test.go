package relational

import (
	"database/sql"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
)

func TestNewestMigrationIsKnownByItsNumber(t *testing.T) {
	p, err := provider(new(sql.DB), goose.DialectSQLite3)
	if err != nil {
		t.Fatal(err)
	}
	if all := p.ListSources(); all[len(all)-1].Version != newest {
		t.Errorf("the newest migration is %d, said is %d", all[len(all)-1].Version, newest)
	}
}

// adds are the statements that a server of the version before does not notice.
var adds = regexp.MustCompile(`(?i)^\s*(CREATE TABLE|CREATE (UNIQUE )?INDEX|ALTER TABLE \w+ ADD COLUMN \w+ [\w ]*(DEFAULT|NULL$)|$)`)

// breaks tells that a migration says whom it shuts out.
var breaks = regexp.MustCompile(`(?i)INSERT INTO schema_rule `)

// TestMigrationsOnlyAdd holds every migration since there is a rule: servers of
// the version before go on working after it, or it says that they cannot. To
// take something away, stop using it in one version and drop it in a later one.
func TestMigrationsOnlyAdd(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range files {
		if name < "migrations/00006" {
			continue
		}
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		if breaks.MatchString(up) {
			continue
		}
		up = regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(up, "")
		for statement := range strings.SplitSeq(up, ";") {
			checked++
			if !adds.MatchString(strings.TrimSpace(statement)) {
				t.Errorf("%s: a server of the version before may not bear %q; see schema_rule", name, strings.TrimSpace(statement))
			}
		}
	}
	if checked == 0 {
		t.Error("no statement was looked at")
	}
	counts := regexp.MustCompile(`^(CREATE (TRIGGER|FUNCTION) |INSERT INTO rollout_states )`) // of a table that it does not know
	for _, statement := range slices.Concat(pagesUp(ChannelSQLite), pagesUp(ChannelPostgres), countSQLite, countPostgres) {
		if !adds.MatchString(statement) && !counts.MatchString(statement) {
			t.Errorf("migration 12: a server of the version before may not bear %q", statement)
		}
	}
}
