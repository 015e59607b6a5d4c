package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// OS is the disk of this machine.
type OS struct{}

// Open opens a file or device that exists.
func (OS) Open(path string, mode Mode) (File, error) {
	var kind fs.FileMode
	if info, err := os.Stat(path); err == nil {
		kind = info.Mode()
	}
	f, err := os.OpenFile(path, flags(mode, kind), 0)
	if err != nil {
		return nil, err
	}
	if mode == Medium {
		if err := forget(f); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: drop cache: %w", path, err), f.Close())
		}
	}
	return osFile{f}, nil
}

// flags are those by which what is of that kind is opened. A block device is
// opened for one writer alone: the kernel refuses one that is mounted, or that
// another driver holds, with EBUSY.
func flags(mode Mode, kind fs.FileMode) int {
	switch {
	case mode != Write:
		return os.O_RDONLY
	case kind&(fs.ModeDevice|fs.ModeCharDevice) == fs.ModeDevice:
		return os.O_RDWR | os.O_EXCL
	}
	return os.O_RDWR
}

// Create makes a sparse file that only this user reads and writes.
func (OS) Create(path string, size int64) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return osFile{f}, nil
}

// Rename is os.Rename.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove is os.Remove.
func (OS) Remove(path string) error { return os.Remove(path) }

// MkdirAll makes directories with mode 0700, and syncs those in which it made
// one.
func (d OS) MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := d.MkdirAll(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.SyncDir(above)
}

// List gives the names in a directory, sorted.
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Link gives a file another name. No Disk needs it: not every filesystem has
// links, and who asks must do with a copy.
func (OS) Link(from, to string) error { return os.Link(from, to) }

// SyncDir makes creations and renames in a directory durable.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Shared looks at the number of names of a file, and at its write permission,
// which root must respect too.
func (OS) Shared(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return names(info) > 1 || info.Mode().Perm()&0o200 == 0, nil
}

type osFile struct{ *os.File }

// Size is that of the file; of a partition, where it ends.
func (f osFile) Size() (int64, error) { return f.Seek(0, io.SeekEnd) }

func (f osFile) Sync() error {
	if err := dataSync(f.File); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	return nil
}
