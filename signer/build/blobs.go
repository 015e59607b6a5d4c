package build

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// tempFile is what a blob is written to before it has its name.
type tempFile interface {
	io.WriteCloser
	Name() string
	Sync() error
}

type blobDir struct {
	path   string
	create func(dir string) (tempFile, error)
}

func openBlobDir(path string, create func(string) (tempFile, error)) (*blobDir, error) {
	if create == nil {
		create = createTemp
	}
	return &blobDir{path, create}, os.MkdirAll(path, 0o755)
}

func createTemp(dir string) (tempFile, error) {
	file, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return nil, err
	}
	return file, file.Chmod(0o644)
}

// blob is a file that gets its name, the hash of its content, at the end.
type blob struct {
	dir  string
	file tempFile
}

func (d *blobDir) newBlob() (*blob, error) {
	file, err := d.create(d.path)
	if err != nil {
		return nil, full(d.path, err)
	}
	return &blob{d.path, file}, nil
}

// filled makes a blob of content, synced but without its name: what can fail
// for want of space has not failed then.
func (d *blobDir) filled(content []byte) (*blob, error) {
	b, err := d.newBlob()
	if err != nil {
		return nil, err
	}
	if _, err := b.Write(content); err != nil {
		return nil, errors.Join(err, b.discard())
	}
	if err := b.file.Sync(); err != nil {
		return nil, errors.Join(full(d.path, err), b.discard())
	}
	return b, nil
}

func (b *blob) Write(p []byte) (int, error) {
	n, err := b.file.Write(p)
	return n, full(b.dir, err)
}

// commit syncs the file, then names it, then syncs the directory. On error
// nothing is left.
func (b *blob) commit(hash manifests.SHA256) error {
	if err := b.file.Sync(); err != nil {
		return errors.Join(full(b.dir, err), b.discard())
	}
	if err := b.file.Close(); err != nil {
		return errors.Join(full(b.dir, err), os.Remove(b.file.Name()))
	}
	if err := os.Rename(b.file.Name(), filepath.Join(b.dir, hash.String())); err != nil {
		return errors.Join(err, os.Remove(b.file.Name()))
	}
	dir, err := os.Open(b.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (b *blob) discard() error {
	return errors.Join(b.file.Close(), os.Remove(b.file.Name()))
}

func full(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("the disk is full; free some space at %s and build again: %w", dir, err)
	}
	return err
}

// readBlob reads a small blob whole and checks it against its name.
func readBlob(dir string, b manifests.Blob) ([]byte, error) {
	path := filepath.Join(dir, layout.BlobFile(b.SHA256))
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != b.Size || sha256.Sum256(data) != b.SHA256 {
		return nil, fmt.Errorf("%s is not what its name says", path)
	}
	return data, nil
}
