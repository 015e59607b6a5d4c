// Package disk keeps blobs as files below one folder.
//
// An object named a/b/c is the file a/b/c; the names are checked before and
// the folder is opened as an os.Root, so nothing outside it can be reached. What
// was read stays open for a moment, for who asks for its next range. A write goes to .tmp, is fsynced, renamed into place, and the folders above it
// are fsynced before the call returns. .lock keeps a second process out.
//
// Trust: none. Whoever can write here can withhold and replace bytes; readers
// verify. Failure: a crash leaves at most files in .tmp, which Open removes; a
// full disk fails the write and leaves what was there.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/candor-ota/candor/server/store"
)

const (
	tempDir  = ".tmp"
	lockFile = ".lock"
	dirMode  = 0o700
	fileMode = 0o600
)

// Blobs is a store.Blobs on files.
type Blobs struct {
	root   *os.Root
	lock   *os.File
	commit sync.Mutex // held while looking at a name and renaming onto it
	synced sync.Map   // folders whose entry in their parent is known to be durable
	shelf  shelf
}

// Create makes the folder of a new store. It must not exist yet.
func Create(dir string) error {
	if err := os.Mkdir(dir, dirMode); err != nil {
		return fmt.Errorf("create blob folder: %w", err)
	}
	parent, err := os.Open(path.Dir(path.Clean(dir)))
	if err != nil {
		return fmt.Errorf("create blob folder: %w", err)
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// Open opens an existing folder and locks it until Close. It removes what an
// interrupted write left in .tmp.
func Open(dir string) (*Blobs, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	b := &Blobs{root: root}
	if err := b.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("open blob folder %s: %w", dir, err), b.Close())
	}
	return b, nil
}

func (b *Blobs) start() error {
	var err error
	if b.lock, err = b.root.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, fileMode); err != nil {
		return err
	}
	if err := unix.Flock(int(b.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another process uses it; stop that one first (%w)", err)
	}
	if err := b.root.RemoveAll(tempDir); err != nil {
		return err
	}
	return b.root.Mkdir(tempDir, dirMode)
}

// Close releases the folder; again is fine.
func (b *Blobs) Close() error {
	err := errors.Join(b.shelf.close(), b.root.Close())
	if b.lock == nil {
		return err
	}
	if lockErr := b.lock.Close(); !errors.Is(lockErr, os.ErrClosed) {
		err = errors.Join(err, lockErr)
	}
	return err
}

// Open gives an object as a *File.
func (b *Blobs) Open(_ context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	o, st, err := b.lend(key)
	if err == nil && o == nil {
		o = &File{shelf: &b.shelf, key: key}
		o.f, o.st, err = b.open(key)
		st = o.st
	}
	if err != nil {
		return nil, store.Info{}, err
	}
	return o, infoOf(key, st), nil
}

func (b *Blobs) open(key string) (*os.File, fs.FileInfo, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, nil, err
	}
	f, err := b.root.Open(key)
	if err != nil {
		return nil, nil, named(key, err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, nil, errors.Join(named(key, err), f.Close())
	}
	return f, st, nil
}

// Stat tells about an object.
func (b *Blobs) Stat(_ context.Context, key string) (store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Info{}, err
	}
	st, err := b.root.Stat(key)
	if err == nil && !st.Mode().IsRegular() {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Info{}, named(key, err)
	}
	return infoOf(key, st), nil
}

// Delete removes an object.
func (b *Blobs) Delete(ctx context.Context, key string) error {
	if _, err := b.Stat(ctx, key); errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if err := b.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return named(key, err)
	}
	return errors.Join(b.shelf.drop(key), b.syncDir(path.Dir(key)))
}

// List walks the files below prefix.
func (b *Blobs) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := store.CheckPrefix(prefix); err != nil {
			yield(store.Info{}, err)
			return
		}
		err := fs.WalkDir(b.root.FS(), path.Clean(prefix), func(key string, d fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			var st fs.FileInfo
			if err == nil && !d.IsDir() && store.CheckKey(key) == nil {
				st, err = d.Info()
			}
			switch {
			case errors.Is(err, fs.ErrNotExist): // deleted meanwhile, or nothing below prefix
			case err != nil:
				return fmt.Errorf("list %q: %w", prefix, err)
			case d.IsDir() && key == tempDir:
				return fs.SkipDir
			case st != nil && !yield(infoOf(key, st), nil):
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(store.Info{}, err)
		}
	}
}

func infoOf(key string, st fs.FileInfo) store.Info {
	return store.Info{Key: key, Size: st.Size(), Modified: st.ModTime()}
}

// named says which object, and turns the file system's words into the store's.
func named(key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		err = store.ErrNotFound
	}
	return fmt.Errorf("object %s: %w", key, err)
}
