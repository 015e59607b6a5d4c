package disk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/client/disk"
)

func TestMediumGivesWhatWasSynced(t *testing.T) {
	dir := t.TempDir()
	path, want := filepath.Join(dir, "slot.img"), bytes.Repeat([]byte("image"), 1<<16)
	f, err := disk.OS{}.Create(path, int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), disk.OS{}.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []disk.Mode{disk.Read, disk.Medium, disk.Write} {
		f, err := disk.OS{}.Open(path, mode)
		if err != nil {
			t.Fatal(err)
		}
		size, err := f.Size()
		got := make([]byte, size)
		if err == nil {
			_, err = f.ReadAt(got, 0)
		}
		if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("mode %d: %d bytes, %v", mode, size, err)
		}
	}
}

func TestOpeningCreatesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	for _, mode := range []disk.Mode{disk.Read, disk.Medium, disk.Write} {
		if _, err := (disk.OS{}).Open(path, mode); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("mode %d: %v", mode, err)
		}
	}
}

func TestOtherNamesAreSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.img")
	if err := os.WriteFile(path, []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	if shared, err := (disk.OS{}).Shared(path); err != nil || shared {
		t.Errorf("one name: %v, %v", shared, err)
	}
	if err := os.Link(path, path+".link"); err != nil {
		t.Fatal(err)
	}
	if shared, err := (disk.OS{}).Shared(path); err != nil || !shared {
		t.Errorf("two names: %v, %v", shared, err)
	}
}
