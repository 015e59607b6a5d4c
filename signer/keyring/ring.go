package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Ring is the directory of one person's keys.
type Ring struct {
	dir      string
	backends []Backend
}

// Open names the ring in dir, whose keys may live in dir itself or where one of
// the backends reaches. The directory is made by the first Create or Add.
func Open(dir string, backends ...Backend) *Ring { return &Ring{dir, backends} }

// Dir is the ring's directory.
func (r *Ring) Dir() string { return r.dir }

// Public reads the public part of the key NAME. A name that no key has is
// ErrNoKey.
func (r *Ring) Public(name string) (Public, error) {
	if err := CheckName(name); err != nil {
		return Public{}, err
	}
	_, err := os.Stat(r.path(name, ".key"))
	if errors.Is(err, fs.ErrNotExist) {
		return Public{}, fmt.Errorf("no key %s in %s: %w; `key list` shows what there is", name, r.dir, ErrNoKey)
	}
	if err != nil {
		return Public{}, err
	}
	p, err := ReadPublic(r.path(name, ".pub"))
	if err == nil && p.Name != name {
		return Public{}, errSwapped(r.path(name, ".pub"))
	}
	return p, err
}

// List gives the public parts of all keys, sorted by name. A directory that
// does not exist holds no keys.
func (r *Ring) List() ([]Public, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key directory: %w", err)
	}
	keys := []Public{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".key")
		if !ok {
			continue
		}
		p, err := r.Public(name)
		if err != nil {
			return nil, err
		}
		keys = append(keys, p)
	}
	slices.SortFunc(keys, func(a, b Public) int { return strings.Compare(a.Name, b.Name) })
	return keys, nil
}

// Location says where the private half of the key NAME lives, without reaching
// for it.
func (r *Ring) Location(name string) (Location, error) {
	if _, err := r.Public(name); err != nil {
		return Location{}, err
	}
	file, err := ReadFile(r.path(name, ".key"), maxPrivate)
	if err != nil || !isLocator(file) {
		return Location{Kind: KindFile}, err
	}
	l, err := parseLocator(file)
	if err != nil {
		return Location{}, fmt.Errorf("key %s: %w", name, err)
	}
	return l.At, nil
}

// Unlock makes the key NAME ready to sign. A key in a file is decrypted with a
// passphrase that ask gives; a key that lives elsewhere is reached, which may
// ask for a PIN. The Signer has the key that NAME.pub shows.
func (r *Ring) Unlock(ctx context.Context, name string, ask Asker) (Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	public, err := r.Public(name)
	if err != nil {
		return nil, err
	}
	file, err := ReadFile(r.path(name, ".key"), maxPrivate)
	if err != nil {
		return nil, err
	}
	unlock := r.unlockFile
	if isLocator(file) {
		unlock = r.unlockElsewhere
	}
	key, err := unlock(ctx, public, file, ask)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return key, nil
}

func errSwapped(path string) error {
	return fmt.Errorf("%s does not belong to the private key; it was changed", path)
}

func (r *Ring) path(name, suffix string) string { return filepath.Join(r.dir, name+suffix) }
