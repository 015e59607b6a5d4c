package carry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store/relational"
)

// A backup takes hours; that the stick which it goes to has no links shows only
// when it is done.
func TestBackupGetsItsNameWhereThereAreNoLinks(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	none := func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM} }
	for range 2 {
		if err := os.WriteFile(from, []byte("backup"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := nameOnce(from, to, none)
		if data, got := os.ReadFile(to); got != nil || string(data) != "backup" || err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatalf("%q, %v; %v", data, got, err)
		}
	}
	if _, err := os.Stat(from); err != nil {
		t.Errorf("the second was renamed over the first: %v", err)
	}
}

// ending is a ledger that breaks off.
type ending struct{ Ledger }

var errEnding = errors.New("no ledger")

func (ending) View(context.Context, func(*relational.View) error) error { return errEnding }

func TestWhatKilledBackupsLeftIsRemovedAndWhatIsWrittenStays(t *testing.T) {
	dir := t.TempDir()
	left, written, other := filepath.Join(dir, unfinished+"1"), filepath.Join(dir, unfinished+"2"), filepath.Join(dir, "other")
	for _, name := range []string{left, written, other} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(name, long, long); err != nil {
			t.Fatal(err)
		}
	}
	writer, err := os.OpenFile(written, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock(writer); err != nil {
		t.Fatal(err)
	}
	_, err = BackupFile(t.Context(), Source{Ledger: ending{}, Now: time.Now}, filepath.Join(dir, "backup"))
	if !errors.Is(err, errEnding) {
		t.Errorf("got %v", err)
	}
	var names []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || strings.Join(names, " ") != unfinished+"2 other" {
		t.Errorf("%q, %v", names, err)
	}
	if err := writer.Close(); err != nil {
		t.Error(err)
	}
}
