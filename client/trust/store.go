package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
)

// Store keeps verified metadata as received, one file per role under its
// unversioned name, and target documents by hash. Writes are durable when they
// return.
type Store struct {
	disk disk.Disk
	dir  string
	lock io.Closer
}

// OpenStore opens the store in dir, creating the directory, and locks it
// against other processes until Close: they get disk.ErrLocked.
func OpenStore(dir string) (*Store, error) {
	s, err := OpenStoreOn(disk.OS{}, dir)
	if err != nil {
		return nil, err
	}
	if s.lock, err = disk.Lock(dir); err != nil {
		return nil, fmt.Errorf("metadata store: %w", err)
	}
	return s, nil
}

// OpenStoreOn opens the store on a disk that no other process has.
func OpenStoreOn(d disk.Disk, dir string) (*Store, error) {
	if err := d.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("metadata store: %w", err)
	}
	return &Store{disk: d, dir: dir}, nil
}

// Close releases the lock.
func (s *Store) Close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

func (s *Store) path(role string) string {
	return filepath.Join(s.dir, url.PathEscape(role)+".json")
}

// load gives the stored bytes of a role, nil when there are none. Files beyond
// limit are damage.
func (s *Store) load(role string, limit int64) ([]byte, error) {
	b, err := disk.ReadFile(s.disk, s.path(role), limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("metadata store: %w", err)
	case int64(len(b)) > limit:
		return nil, s.quarantine(role)
	}
	return b, nil
}

func (s *Store) save(role string, data []byte) error { return s.write(s.path(role), data) }

func (s *Store) write(path string, data []byte) error {
	if err := disk.Replace(s.disk, path, data); err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	return nil
}

func (s *Store) syncDir() error {
	if err := s.disk.SyncDir(s.dir); err != nil {
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
	if err := s.disk.Rename(s.path(role), s.path(role)+".damaged"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("metadata store: %w", err)
	}
	return s.syncDir()
}

// drop forgets a role.
func (s *Store) drop(role string) error {
	if err := s.disk.Remove(s.path(role)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("metadata store: %w", err)
	}
	return s.syncDir()
}

// document gives a cached target document, nil when it is not there or is not
// what its name says; one longer than limit is not.
func (s *Store) document(hash manifests.SHA256, limit int64) []byte {
	b, err := disk.ReadFile(s.disk, filepath.Join(s.dir, "documents", hash.String()), limit)
	if err != nil || manifests.SumSHA256(b) != hash {
		return nil
	}
	return b
}

func (s *Store) saveDocument(hash manifests.SHA256, data []byte) error {
	dir := filepath.Join(s.dir, "documents")
	if err := s.disk.MkdirAll(dir); err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	return s.write(filepath.Join(dir, hash.String()), data)
}

// keepDocuments removes cached documents that are not in keep.
func (s *Store) keepDocuments(keep map[manifests.SHA256]bool) error {
	names, err := s.disk.List(filepath.Join(s.dir, "documents"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	for _, name := range names {
		if h, err := manifests.ParseSHA256(name); err == nil && keep[h] {
			continue
		}
		if err := s.disk.Remove(filepath.Join(s.dir, "documents", name)); err != nil {
			return fmt.Errorf("metadata store: %w", err)
		}
	}
	return nil
}
