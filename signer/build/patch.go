package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
)

// A patch that saves less than worthParts of the bytes of the chunks plan is
// not worth its place in the release.
const worthParts = 5

// PatchOptions say what Patch reads and writes.
type PatchOptions struct {
	From     string                  // raw image of an older build
	Source   string                  // raw image of this build
	Image    manifests.Image         // what Image made of Source; its index is in Dir
	Dir      string                  // table and body go to Dir/blobs/HASH
	Workers  int                     // goroutines; 0 is one for each core
	Progress func(done, total int64) // of the work, in bytes; may be nil

	create func(dir string) (tempFile, error) // tests fill the disk here
}

// PatchResult is what a release says about a patch, and what it is worth.
type PatchResult struct {
	Patch  manifests.Patch
	Size   int64 // bytes of table and body: what a handset downloads
	Chunks int64 // bytes that it downloads without it: the index, and the chunks that the old image lacks
	Full   int64 // bytes of index and pack
	Kept   bool  // it saves a fifth of Chunks or more; otherwise there are no blobs
}

// Patch makes the patch from an older image to this one and keeps its table and
// body if that saves at least a fifth of what a handset downloads otherwise.
func Patch(ctx context.Context, o PatchOptions) (PatchResult, error) {
	result, err := o.build(ctx)
	if err != nil {
		return PatchResult{}, fmt.Errorf("patch from %s to %s: %w", o.From, o.Source, err)
	}
	return result, nil
}

func (o PatchOptions) build(ctx context.Context) (_ PatchResult, err error) {
	dir, err := openBlobDir(filepath.Join(o.Dir, layout.BlobsDir), o.create)
	if err != nil {
		return PatchResult{}, err
	}
	body, err := dir.newBlob()
	if err != nil {
		return PatchResult{}, err
	}
	pair := pair{from: o.From, source: o.Source, workers: o.Workers, progress: o.Progress}
	var made *patch.Table
	result := PatchResult{Full: o.Image.Index.Size + o.Image.Pack.Size}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) { made, err = pair.patch(inner, body); return err })
	group.Go(func() (err error) { result.Chunks, err = o.chunks(inner); return err })
	if err := group.Wait(); err != nil {
		return PatchResult{}, errors.Join(err, body.discard())
	}
	if made.SHA256 != o.Image.SHA256 {
		return PatchResult{}, errors.Join(errors.New("the image changed since its index was made; start again"), body.discard())
	}
	table, err := made.MarshalBinary()
	if err != nil {
		return PatchResult{}, errors.Join(err, body.discard())
	}
	result.Patch = entry(made, table)
	result.Size = int64(len(table)) + made.BodySize
	if result.Kept = result.Size*worthParts <= result.Chunks*(worthParts-1); !result.Kept {
		return result, body.discard()
	}
	return result, o.commit(dir, table, body, made.BodySHA256)
}

// commit names table and body; on error nothing is left of either that the
// release would have named.
func (o PatchOptions) commit(dir *blobDir, table []byte, body *blob, bodySum manifests.SHA256) error {
	t, err := dir.filled(table)
	if err != nil {
		return errors.Join(err, body.discard())
	}
	if err := body.commit(bodySum); err != nil {
		return errors.Join(err, t.discard())
	}
	return t.commit(sha256.Sum256(table))
}

// entry is what a release says about a patch.
func entry(t *patch.Table, file []byte) manifests.Patch {
	return manifests.Patch{
		FromSHA256: t.FromSHA256, BodySize: t.BodySize,
		Table: manifests.Blob{SHA256: sha256.Sum256(file), Size: int64(len(file))},
	}
}

// chunks is what the chunks plan costs a handset that runs the old image.
func (o PatchOptions) chunks(ctx context.Context) (int64, error) {
	index, err := readBlob(o.Dir, o.Image.Index)
	if err != nil {
		return 0, err
	}
	x, err := image.Parse(index)
	if err != nil {
		return 0, err
	}
	in, err := openSource(o.From)
	if err != nil {
		return 0, err
	}
	has, err := chunkSums(ctx, in)
	if err = errors.Join(err, in.file.Close()); err != nil {
		return 0, err
	}
	cost := o.Image.Index.Size
	for i := range x.Rows {
		if x.Unique(i) && !has[x.Rows[i].SHA256] {
			cost += int64(x.Rows[i].PackedLength)
		}
	}
	return cost, nil
}

// chunkSums are the hashes of the chunks that a handset finds in an image.
func chunkSums(ctx context.Context, in *source) (map[[image.SumBytes]byte]bool, error) {
	out, cutter := map[[image.SumBytes]byte]bool{}, image.NewChunker(in, image.ParamsFor(in.size))
	for {
		chunk, err := cutter.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		out[image.Sum(chunk)] = true
	}
}
