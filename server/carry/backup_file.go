package carry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unfinished is how the name of a backup begins that is not whole.
const unfinished = ".candor-backup-"

// beginning is how long a file may be without its lock: whoever makes it takes
// that next.
const beginning = time.Minute

// BackupFile writes a backup to a file of mode 0600 that must not exist yet. It
// has its name only when it is whole and on disk. What backups that were killed
// left in the same folder is removed.
func BackupFile(ctx context.Context, s Source, name string) (saved Saved, err error) {
	if _, err := os.Lstat(name); err == nil {
		return saved, fmt.Errorf("backup: %s is there already", name)
	}
	dir := filepath.Dir(name)
	if err := removeUnfinished(dir); err != nil {
		return saved, fmt.Errorf("backup: %w", err)
	}
	f, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return saved, fmt.Errorf("backup: %w", err)
	}
	// Held as long as it is written; where there are no locks, nothing is removed.
	if err = lock(f); errors.Is(err, errNoLocks) {
		err = nil
	}
	if err == nil {
		saved, err = Backup(ctx, s, f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = nameOnce(f.Name(), name, os.Link)
	}
	if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return saved, fmt.Errorf("backup: %w", err)
	}
	return saved, syncFolder(dir)
}

// nameOnce gives a file another name, never that of another file. Linking it
// does, but FAT and some network folders know no links; there it is renamed, in
// a way that refuses a name that is taken where the system has one.
func nameOnce(from, to string, link func(from, to string) error) error {
	err := link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		if _, err := os.Lstat(to); err == nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		}
		return os.Rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// removeUnfinished removes what nobody writes any more.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), unfinished) || !e.Type().IsRegular() {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) < beginning {
			continue
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // gone meanwhile, or somebody else's
		}
		if err != nil {
			return err
		}
		if lock(f) == nil {
			err = os.Remove(name)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

var errNoLocks = errors.New("this folder knows no locks")

// lock keeps a file until it is closed or its process ends.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w (%w)", errNoLocks, err)
	}
	return err
}

// syncFolder makes names durable, where a folder can be asked for that.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err = d.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
