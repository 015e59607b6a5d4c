package disk

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/candor-ota/candor/server/store"
)

// View reads a folder that another process may be writing to, and writes
// nothing: not even the lock.
type View struct{ blobs *Blobs }

// OpenView opens a folder for reading.
func OpenView(dir string) (*View, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	return &View{&Blobs{root: root}}, nil
}

// Open gives an object as an *os.File.
func (v *View) Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	return v.blobs.Open(ctx, key)
}

// Stat tells about an object.
func (v *View) Stat(ctx context.Context, key string) (store.Info, error) {
	return v.blobs.Stat(ctx, key)
}

// List walks the files below prefix.
func (v *View) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return v.blobs.List(ctx, prefix)
}

// Load reads a head.
func (v *View) Load(ctx context.Context, key string) ([]byte, store.ETag, error) {
	return v.blobs.Load(ctx, key)
}

// Close releases the folder.
func (v *View) Close() error { return v.blobs.Close() }
