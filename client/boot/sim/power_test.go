package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
)

var errPower = errors.New("the power is cut")

// fragile is a disk whose power goes before its n-th operation that changes
// something. What was not synced is lost then: bytes, and, if it says so, names.
type fragile struct {
	disk.OS
	left       int
	losesNames bool
	unsynced   map[string]bool   // files
	undo       map[string][]byte // content of names that were taken since SyncDir
}

func (d *fragile) step() error {
	if d.left--; d.left == -1 {
		for path := range d.unsynced {
			if err := os.Truncate(path, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		for path, content := range d.undo {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				return err
			}
		}
	}
	if d.left < 0 {
		return errPower
	}
	return nil
}

func (d *fragile) Create(path string, size int64) (disk.File, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := d.OS.Create(path, size)
	d.unsynced[path] = true
	return &fragileFile{f, d, path}, err
}

func (d *fragile) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	if before, err := os.ReadFile(to); err == nil && d.losesNames {
		d.undo[to] = before
	}
	if d.unsynced[from] {
		delete(d.unsynced, from)
		d.unsynced[to] = true
	}
	return d.OS.Rename(from, to)
}

func (d *fragile) SyncDir(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	clear(d.undo)
	return d.OS.SyncDir(dir)
}

type fragileFile struct {
	disk.File
	disk *fragile
	path string
}

func (f *fragileFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.disk.step(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, at)
}

func (f *fragileFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	delete(f.disk.unsynced, f.path)
	return f.File.Sync()
}

// update is the life of a slot from the first verb to the last. It tells how
// far it came.
func update(s *Sim) (done int, err error) {
	for _, verb := range []func() error{
		func() error { return s.MarkUnbootable("b") },
		func() error { return s.Arm("b", 2) },
		func() error { _, err := s.Boot(); return err },
		func() error { return s.MarkGood("b") },
	} {
		if err := verb(); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

func TestPowerCutInAnyVerbLeavesTheStateBeforeOrAfter(t *testing.T) {
	image := filepath.Join(t.TempDir(), "factory.img")
	if err := os.WriteFile(image, []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	// What slot b is after each verb, and what the next boot is then.
	after := []boot.State{{}, {}, {Bootable: true, TriesLeft: 2}, {Bootable: true, TriesLeft: 1}, {Bootable: true, Good: true}}
	boots := []boot.Slot{"a", "a", "b", "b", "b"}
	for n := range 100 {
		for _, losesNames := range []bool{false, true} {
			dir := filepath.Join(t.TempDir(), fmt.Sprint(n, losesNames))
			if err := Create(dir, map[manifests.Name]string{"system": image}, boot.Metadata{Product: "phone", Build: 1}); err != nil {
				t.Fatal(err)
			}
			d := &fragile{left: n, losesNames: losesNames, unsynced: map[string]bool{}, undo: map[string][]byte{}}
			done, err := update(&Sim{dir: dir, disk: d})
			if err == nil {
				if n < 20 {
					t.Fatalf("the update took %d operations only", n)
				}
				return
			}
			s, err := Open(dir)
			if err != nil {
				t.Fatalf("cut at operation %d: %v", n, err)
			}
			state, err := s.State("b")
			if err != nil {
				t.Fatal(err)
			}
			next, err := s.Boot()
			before := state == after[done] && next == boots[done]
			if err != nil || !before && (state != after[done+1] || next != boots[done+1]) {
				t.Fatalf("cut at operation %d, in verb %d: slot b is %+v, boots %q, %v", n, done, state, next, err)
			}
		}
	}
	t.Fatal("the update never ended")
}

func TestReadOnlySharedImageIsNeverWritten(t *testing.T) {
	image := filepath.Join(t.TempDir(), "factory.img")
	if err := os.WriteFile(image, []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Create(dir, map[manifests.Name]string{"system": image}, boot.Metadata{Product: "phone", Build: 1}); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	shared := s.Image("b", "system")
	if err := os.WriteFile(shared, []byte("image"), 0o400); err != nil {
		t.Fatal(err)
	}
	kept, err := os.Open(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	f, err := s.OpenForWrite("b", "system", 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("other"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := kept.ReadAt(got, 0); err != nil || string(got) != "image" {
		t.Fatalf("the shared bytes became %q, %v", got, err)
	}
}
