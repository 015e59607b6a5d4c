package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/storetest"
)

func TestMistakesInTheLedgerAreNamed(t *testing.T) {
	for text, word := range map[string]string{
		`ledger: {postgres: {url: "postgres://a:hunter2@h/d"}}`:                 "passwordFile",
		`ledger: {postgres: {url: "host=h password=hunter2"}}`:                  "passwordFile",
		`ledger: {postgres: {}}`:                                                "missing",
		`ledger: {postgres: {url: "postgres://h:x/d"}}`:                         "ledger.postgres.url",
		`ledger: {postgres: {url: "postgres://h/d", passwordFile: /not/there}}`: "ledger.postgres.passwordFile",
		`ledger: {postgres: {url: "postgres://h/d", connections: 3}}`:           "4 to 1000",
		`ledger: {mysql: {}}`:                                                   "mysql",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v; want a word about %q, and no secret", text, err, word)
		}
	}
}

func TestTheLedgerThatIsConfiguredIsOpened(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "data"))
	if err := Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	p := storetest.StartPostgres(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(p.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Parse([]byte(`ledger: {postgres: {url: "` + p.Database(t) + `", passwordFile: "` + password + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range []File{f, f, {}} {
		l, err := d.OpenLedger(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		err = l.AddProduct(t.Context(), store.Product{Name: "phone"}, store.Entry{At: time.Unix(1, 0), Who: "li", What: "add"})
		if want := i == 1; errors.Is(err, store.ErrExists) != want {
			t.Errorf("%d: got %v; want that it is there already: %v", i, err, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
