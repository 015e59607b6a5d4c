package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
)

// The power is cut within each operation of replacing a file, and after it came
// back within each operation of replacing it again, with several kinds of luck:
// it is one of those that were wanted, whole, and none before one that was
// acknowledged.
func TestPowerCutLeavesTheFileBeforeOrAfter(t *testing.T) {
	for seed := range uint64(40) {
		for first := range 7 {
			for second := range 7 {
				d := disktest.New(seed)
				good := []string{"before"}
				for i, cut := range []int{-1, first, second} {
					next := []string{"before", "and after", "and once more"}[i]
					if i > 0 {
						d.CutAfter(cut)
					}
					good = append(good, next)
					if disk.Replace(d, "state/file", []byte(next)) == nil {
						good = good[len(good)-1:]
					}
					d.Restart()
					got, err := disk.ReadFile(d, "state/file", 100)
					if err != nil || !slices.Contains(good, string(got)) {
						t.Fatalf("seed %d, cuts %d and %d: %q, %v; want one of %q", seed, first, second, got, err, good)
					}
				}
			}
		}
	}
}

func TestFullDiskLeavesTheFileBeforeAndNoLitter(t *testing.T) {
	d := disktest.New(1)
	if err := disk.Replace(d, "state/file", []byte("before")); err != nil {
		t.Fatal(err)
	}
	d.Room(3)
	if err := disk.Replace(d, "state/file", []byte("and after")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	names, err := d.List("state")
	if got, rerr := disk.ReadFile(d, "state/file", 100); rerr != nil || string(got) != "before" || err != nil || !slices.Equal(names, []string{"file"}) {
		t.Fatalf("%q and %q, %v", got, names, errors.Join(err, rerr))
	}
}

func TestFileIsReadNoFurtherThanOneByteOverTheLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{0: "1", 3: "1234", 4: "12345", 9: "12345"} {
		if got, err := disk.ReadFile(disk.OS{}, path, limit); err != nil || string(got) != want {
			t.Errorf("limit %d: %q, %v", limit, got, err)
		}
	}
}

func TestDirectoriesAreMadeListedAndTheirFilesRemoved(t *testing.T) {
	dir, d := filepath.Join(t.TempDir(), "a", "b"), disk.OS{}
	for range 2 {
		if err := d.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info, err)
	}
	for _, name := range []string{"2", "1"} {
		if err := disk.Replace(d, filepath.Join(dir, name), []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := d.List(dir); err != nil || !slices.Equal(names, []string{"1", "2"}) {
		t.Fatalf("%q, %v", names, err)
	}
	if err := d.Remove(filepath.Join(dir, "1")); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(filepath.Join(dir, "1")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("removed twice: %v", err)
	}
	if err := d.MkdirAll(filepath.Join(dir, "2", "c")); err == nil {
		t.Fatal("a directory in a file")
	}
}

func TestSecondProcessIsLockedOutUntilTheFirstEnds(t *testing.T) {
	dir := t.TempDir()
	lock, err := disk.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Lock(dir); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("got %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := disk.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFileThatNobodyMayWriteToIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "factory.img")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if shared, err := (disk.OS{}).Shared(path); err != nil || !shared {
		t.Errorf("%v, %v", shared, err)
	}
}
