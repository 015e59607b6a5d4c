package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/candor-ota/candor/server/store"
)

// folder keeps each upload in a file: for one server alone.
type folder struct{ dir *os.Root }

func newFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	return &folder{root}, nil
}

func (f *folder) begin(_ context.Context, id string) error {
	file, err := f.dir.OpenFile(id, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close(), f.sync())
}

func (f *folder) sync() error {
	d, err := f.dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *folder) add(_ context.Context, s store.Upload, body io.Reader) (int64, error) {
	file, err := f.dir.OpenFile(s.ID, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	n, readErr := take(io.NewOffsetWriter(file, s.Offset), body, s.Size-s.Offset)
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return 0, err
	}
	return n, readErr
}

// take copies what arrives. More than is missing is refused, and none of it
// counts.
func take(w io.Writer, body io.Reader, missing int64) (int64, error) {
	n, err := io.Copy(w, io.LimitReader(body, missing))
	if err == nil && n == missing {
		var extra [1]byte
		if more, _ := io.ReadFull(body, extra[:]); more > 0 {
			return 0, ErrTooLarge
		}
	}
	return n, err
}

func (f *folder) open(_ context.Context, s store.Upload) (io.ReadCloser, error) {
	return f.dir.Open(s.ID)
}

func (f *folder) drop(_ context.Context, id string) error {
	if err := f.dir.Remove(id); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *folder) close() error { return f.dir.Close() }
