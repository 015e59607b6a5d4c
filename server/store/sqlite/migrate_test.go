package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

func TestTokensFromBeforeThereWereOwnersKeepWorking(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sql.Open("sqlite", dsn(file, "_txlock=immediate"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../relational/migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO tokens (id, name, hash, role, products, created_at, expires_at, revoked_at)
		VALUES ('a', 'ci', $1, 'engineer', '["phone"]', 1, 0, 0)`, make([]byte, 32))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.TokenByHash(t.Context(), [32]byte{})
	if err != nil || got.ID != "a" || got.Owner != "local:ci" || len(got.Scope) != 0 || got.Role != "engineer" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Votes that were cast before marks lay in buckets are still spent.
func TestNullifiersFromBeforeThereWereBucketsStaySpent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sql.Open("sqlite", dsn(file, "_txlock=immediate"))
	must(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../relational/migrations"))
	must(t, err)
	_, err = p.UpTo(t.Context(), 4)
	must(t, err)
	const votes = 6000 // more than a page of the move
	for _, statement := range []string{
		`INSERT INTO products VALUES ('phone', 1)`,
		`INSERT INTO releases VALUES ('phone', 43, '1', 'p', zeroblob(32), 1, 'published', 1, 'li')`,
		`INSERT INTO vote_releases VALUES (7, 'phone', 43, zeroblob(32), 'primary', 1, 0)`,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	for i := range votes {
		b := ballot(uint64(i))
		_, err := tx.ExecContext(t.Context(), `INSERT INTO vote_nullifiers VALUES (7, $1, $2)`, b.Nullifier[:], b.Check[:])
		must(t, err)
	}
	must(t, errors.Join(tx.Commit(), db.Close()))
	l, err := Open(t.Context(), file)
	must(t, err)
	for _, i := range []uint64{0, 1, 2999, votes - 1} {
		must(t, l.CastVote(t.Context(), ballot(i)))
		other := ballot(i)
		other.Check[0]++
		if err := l.CastVote(t.Context(), other); !errors.Is(err, store.ErrConflict) {
			t.Errorf("vote %d with another body: %v", i, err)
		}
	}
	must(t, l.CastVote(t.Context(), ballot(votes)))
	tally, err := l.Tally(t.Context(), ref, vote.Primary)
	must(t, errors.Join(err, l.Close()))
	if len(tally.Cells[vote.Trial]) != 1 {
		t.Errorf("counted %v; want the one that is new", tally.Cells)
	}
}
