package disk_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/client/disk"
)

func open(t *testing.T, path string) *disk.Journal {
	t.Helper()
	j, err := disk.OpenJournal(disk.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func save(t *testing.T, j *disk.Journal, text string) {
	t.Helper()
	if err := j.Save([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestNewestRecordSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	if j.Record() != nil {
		t.Fatal("a new journal has a record")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "three"} {
		save(t, j, text)
		if got := open(t, path).Record(); string(got) != text {
			t.Fatalf("reopened: %q, want %q", got, text)
		}
	}
	after, err := os.Stat(path)
	if err != nil || after.Size() != info.Size() {
		t.Fatalf("the journal grew from %d to %d bytes, %v", info.Size(), after.Size(), err)
	}
}

// Whatever is torn, the record before is there.
func TestTornWriteLeavesTheRecordBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	save(t, j, "one")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	save(t, j, "two")
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(after); cut += 61 {
		torn := append(bytes.Clone(after[:cut]), before[cut:]...)
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := string(open(t, path).Record()); got != "one" && got != "two" {
			t.Fatalf("torn at byte %d: %q", cut, got)
		}
	}
}

func TestDamagedJournalSaysSoAndIsUsable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	save(t, open(t, path), "one")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte{7}, int(info.Size())), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := disk.OpenJournal(disk.OS{}, path)
	if !errors.Is(err, disk.ErrDamaged) || j.Record() != nil {
		t.Fatalf("got %q, %v", j.Record(), err)
	}
	save(t, j, "again")
	if got := open(t, path).Record(); string(got) != "again" {
		t.Fatalf("after the repair: %q", got)
	}
}

func TestOverlongRecordRefusedAndTheOldOneStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	save(t, j, "one")
	if err := j.Save(make([]byte, disk.MaxRecord+1)); err == nil {
		t.Fatal("it was taken")
	}
	if got := open(t, path).Record(); string(got) != "one" {
		t.Fatalf("left %q", got)
	}
}

func FuzzOpenJournal(f *testing.F) {
	path := filepath.Join(f.TempDir(), "journal")
	j, err := disk.OpenJournal(disk.OS{}, path)
	if err != nil {
		f.Fatal(err)
	}
	if err := j.Save([]byte("one")); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := disk.OpenJournal(disk.OS{}, path)
		if err != nil && !errors.Is(err, disk.ErrDamaged) {
			return
		}
		if err := j.Save([]byte("next")); err != nil {
			t.Fatal(err)
		}
	})
}
