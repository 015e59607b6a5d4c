package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
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
