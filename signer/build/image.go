package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
)

// Options say what Image reads and writes.
type Options struct {
	Source   string                  // raw image: a file or a block device
	Dir      string                  // index and pack go to Dir/blobs/HASH; created if need be
	Workers  int                     // goroutines that compress; 0 is one for each core
	Progress func(done, total int64) // bytes of the image read so far; may be nil

	create func(dir string) (tempFile, error) // tests fill the disk here
}

// Result is what a release says about an image, and how it was cut.
type Result struct {
	Size   int64 // bytes
	SHA256 manifests.SHA256
	Index  manifests.Blob
	Pack   manifests.Blob
	Chunks int // rows of the index
	Unique int // of them, with bytes in the pack
}

// Image gives the entry of the release for a slot.
func (r Result) Image(slot manifests.Name) manifests.Image {
	return manifests.Image{Slot: slot, Size: r.Size, SHA256: r.SHA256, Index: r.Index, Pack: r.Pack}
}

// Image streams a raw image into an index file and a pack file. Both are synced
// when it returns.
func Image(ctx context.Context, o Options) (Result, error) {
	result, err := o.build(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("build %s: %w", o.Source, err)
	}
	return result, nil
}

func (o Options) build(ctx context.Context) (_ Result, err error) {
	in, err := openSource(o.Source)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, in.file.Close()) }()
	dir, err := openBlobDir(filepath.Join(o.Dir, layout.BlobsDir), o.create)
	if err != nil {
		return Result{}, err
	}
	pack, err := dir.newBlob()
	if err != nil {
		return Result{}, err
	}
	cut, err := chunk(ctx, in, pack, o.Workers, o.Progress)
	if err != nil {
		return Result{}, errors.Join(err, pack.discard())
	}
	index, result, err := cut.describe()
	if err != nil {
		return Result{}, errors.Join(err, pack.discard())
	}
	table, err := dir.filled(index)
	if err != nil {
		return Result{}, errors.Join(err, pack.discard())
	}
	if err := pack.commit(result.Pack.SHA256); err != nil {
		return Result{}, errors.Join(err, table.discard())
	}
	if err := table.commit(result.Index.SHA256); err != nil {
		return Result{}, err
	}
	return result, nil
}

// describe writes the index and says what it and the pack are called.
func (c *cutting) describe() ([]byte, Result, error) {
	index, err := c.index.MarshalBinary()
	if err != nil {
		return nil, Result{}, err
	}
	return index, Result{
		Size: c.index.ImageSize, SHA256: c.index.ImageSHA256,
		Index:  manifests.Blob{SHA256: sha256.Sum256(index), Size: int64(len(index))},
		Pack:   manifests.Blob{SHA256: c.index.PackSHA256, Size: c.index.PackSize},
		Chunks: len(c.index.Rows), Unique: c.unique,
	}, nil
}

// checkSize refuses what the format cannot hold, before anything is written.
func checkSize(size int64) error {
	if size == 0 {
		return errors.New("the image is empty")
	}
	if size > image.MaxImageBytes {
		return fmt.Errorf("the image has %d bytes; at most %d fit the format", size, int64(image.MaxImageBytes))
	}
	return nil
}
