package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// staged begins the names of files that Create and Add have not finished.
const staged = ".key-"

// free refuses a name that a key of the ring has.
func (r *Ring) free(name string) error {
	_, err := os.Lstat(r.path(name, ".key"))
	if err == nil {
		return fmt.Errorf("key %s exists already in %s; choose another name", name, r.dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("key directory: %w", err)
	}
	return nil
}

// place writes both files of a new key. The key is there with NAME.key, which
// comes last and appears as a whole; what a killed run left behind is removed
// or written over. A key of that name is never replaced.
func (r *Ring) place(public Public, key []byte) (err error) {
	open, err := public.Marshal()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return fmt.Errorf("key directory: %w", err)
	}
	unlock, err := lockDir(r.dir)
	if err != nil {
		return fmt.Errorf("key directory: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := r.sweep(); err != nil {
		return err
	}
	if err := r.free(public.Name); err != nil {
		return err
	}
	half, err := stage(r.dir, open, 0o644)
	if err != nil {
		return err
	}
	if err := os.Rename(half, r.path(public.Name, ".pub")); err != nil {
		return fmt.Errorf("write public key: %w", errors.Join(err, os.Remove(half)))
	}
	if err := syncDir(r.dir); err != nil {
		return err
	}
	return r.appear(key, r.path(public.Name, ".key"))
}

// sweep removes what a run that was killed had not finished. Its caller holds
// the lock.
func (r *Ring) sweep() error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return fmt.Errorf("key directory: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), staged) {
			if err := os.Remove(filepath.Join(r.dir, e.Name())); err != nil {
				return fmt.Errorf("key directory: remove what an interrupted run left: %w", err)
			}
		}
	}
	return nil
}

// stage writes a file of another name, to be moved into place.
func stage(dir string, data []byte, mode os.FileMode) (string, error) {
	tmp, err := os.CreateTemp(dir, staged+"*")
	if err != nil {
		return "", fmt.Errorf("write key: %w", err)
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return "", fmt.Errorf("write key: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return tmp.Name(), nil
}

// appear makes path with these bytes, as a whole, and only if there is none.
func (r *Ring) appear(data []byte, path string) error {
	tmp, err := stage(r.dir, data, 0o600)
	if err != nil {
		return err
	}
	err = os.Link(tmp, path)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		err = errors.Join(err, os.Remove(tmp))
	default: // a file system without links, such as that of most sticks; the lock keeps the name free
		err = os.Rename(tmp, path)
		if err != nil {
			err = errors.Join(err, os.Remove(tmp))
		}
	}
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return syncDir(r.dir)
}
