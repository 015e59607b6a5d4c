// Package sqlitetest gives tests new ledgers in SQLite, quickly.
package sqlitetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/candor-ota/candor/server/store/sqlite"
)

// NewLedger makes the file of a new ledger in SQLite, as sqlite.Create does, and
// opens it; closing it is the caller's. What it holds is copied from the first
// one that the process made, because making its tables takes long.
func NewLedger(t testing.TB, file string) *sqlite.Ledger {
	t.Helper()
	empty, err := emptyLedger()
	if err == nil {
		err = os.WriteFile(file, empty, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := sqlite.Open(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var emptyLedger = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "ledger-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name := filepath.Join(dir, "ledger.db")
	l, err := sqlite.Create(context.Background(), name)
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil { // which leaves all of it in this one file
		return nil, err
	}
	return os.ReadFile(name)
})
