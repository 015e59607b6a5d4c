package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/candor-ota/candor/manifests"
)

// Store keeps verified metadata as received, one file per role under its
// unversioned name, and target documents by hash. Writes are durable when they
// return: the file is synced before it is renamed, the directory after.
type Store struct {
	dir  string
	lock *os.File
}

// ErrLocked says that another process works on the same store.
var ErrLocked = errors.New("another process is using this metadata directory; stop it first")

// OpenStore opens the store in dir, creating the directory, and locks it
// against other processes until Close.
func OpenStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("metadata store: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("metadata store: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("metadata store %s: %w", dir, ErrLocked), lock.Close())
	}
	return &Store{dir: dir, lock: lock}, nil
}

// Close releases the lock.
func (s *Store) Close() error { return s.lock.Close() }

func (s *Store) path(role string) string {
	return filepath.Join(s.dir, url.PathEscape(role)+".json")
}

// load gives the stored bytes of a role, nil when there are none. Files beyond
// limit are damage.
func (s *Store) load(role string, limit int64) ([]byte, error) {
	info, err := os.Stat(s.path(role))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("metadata store: %w", err)
	case info.Size() > limit:
		return nil, s.quarantine(role)
	}
	b, err := os.ReadFile(s.path(role))
	if err != nil {
		return nil, fmt.Errorf("metadata store: %w", err)
	}
	return b, nil
}

func (s *Store) save(role string, data []byte) error { return s.write(s.path(role), data) }

func (s *Store) write(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		return syncDir(filepath.Dir(path))
	}
	return errors.Join(fmt.Errorf("metadata store: %w", err), os.Remove(tmp.Name()))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	return nil
}

// quarantine sets a damaged file aside, for people to look at; the next walk
// fetches it again. The root is never set aside: without it there is no trust.
func (s *Store) quarantine(role string) error {
	if role == "root" {
		return fmt.Errorf("metadata store: %s is damaged; restore the root that the handset was made with", s.path(role))
	}
	if err := os.Rename(s.path(role), s.path(role)+".damaged"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("metadata store: %w", err)
	}
	return syncDir(s.dir)
}

// drop forgets a role.
func (s *Store) drop(role string) error {
	if err := os.Remove(s.path(role)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("metadata store: %w", err)
	}
	return syncDir(s.dir)
}

// document gives a cached target document, nil when it is not there or is not
// what its name says.
func (s *Store) document(hash manifests.SHA256) []byte {
	b, err := os.ReadFile(filepath.Join(s.dir, "documents", hash.String()))
	if err != nil || manifests.SumSHA256(b) != hash {
		return nil
	}
	return b
}

func (s *Store) saveDocument(hash manifests.SHA256, data []byte) error {
	dir := filepath.Join(s.dir, "documents")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	return s.write(filepath.Join(dir, hash.String()), data)
}

// keepDocuments removes cached documents that are not in keep.
func (s *Store) keepDocuments(keep map[manifests.SHA256]bool) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "documents"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	for _, e := range entries {
		if h, err := manifests.ParseSHA256(e.Name()); err == nil && keep[h] {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, "documents", e.Name())); err != nil {
			return fmt.Errorf("metadata store: %w", err)
		}
	}
	return nil
}
