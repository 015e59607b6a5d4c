// Package bundle makes offline updates: it takes one release, and all that
// proves it, out of a published tree, and puts it into one file (the format is
// package manifests/bundle).
//
// Promises. Everything is verified as a handset would, from the root that the
// caller trusts, before a byte is written; each blob is hashed on its way. The
// same tree gives the same bytes. Memory does not grow with the images.
//
// Failure. The file gets its name once it is whole and synced; on an error
// nothing is left.
package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	format "github.com/candor-ota/candor/manifests/bundle"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
)

// Options say what a bundle is made of.
type Options struct {
	Source   ceremony.Source
	Anchor   keyring.Anchor // the root to trust
	Ref      vote.Ref       // the release
	From     []manifests.Build
	Now      time.Time
	Progress func(done, total int64) // bytes of blobs; may be nil
}

// Result says what was written.
type Result struct {
	Product  manifests.Product `json:"product"`
	Build    manifests.Build   `json:"build"`
	Size     int64             `json:"size"` // bytes of the file
	SHA256   manifests.SHA256  `json:"sha256"`
	Metadata int               `json:"metadata"` // files, documents included
	Blobs    int               `json:"blobs"`
	Patches  int               `json:"patches"`
	Slots    []manifests.Name  `json:"slots"`
}

// Write makes the bundle at path, which must not exist.
func Write(ctx context.Context, path string, o Options) (Result, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return Result{}, errors.Join(err, fmt.Errorf("%s exists; remove it or choose another name", path))
	}
	carried, err := ceremony.Carry(ctx, o.Source, o.Anchor, o.Ref, o.From, o.Now)
	if err != nil {
		return Result{}, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return Result{}, err
	}
	result, err := o.write(ctx, file, carried)
	if err == nil {
		err = errors.Join(file.Chmod(0o644), file.Sync())
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return Result{}, errors.Join(err, os.Remove(file.Name()))
	}
	return result, nil
}

// blob is one file of the tree that is named by its hash.
type blob = manifests.Blob

func (o Options) write(ctx context.Context, to io.Writer, c *ceremony.Carried) (Result, error) {
	blobs, err := o.blobs(ctx, c)
	if err != nil {
		return Result{}, err
	}
	m := &meter{Writer: to, sum: sha256.New()}
	w, err := format.NewWriter(m, format.Header{Product: o.Ref.Product, Build: o.Ref.Build})
	if err != nil {
		return Result{}, err
	}
	for _, f := range c.Files {
		if err := w.Add(f.Path, int64(len(f.Body)), bytes.NewReader(f.Body)); err != nil {
			return Result{}, err
		}
	}
	done, total := int64(0), int64(0)
	for _, b := range blobs {
		total += b.Size
	}
	for _, b := range blobs {
		report := func(n int64) {
			if done += n; o.Progress != nil {
				o.Progress(done, total)
			}
		}
		if err := o.add(ctx, w, b, report); err != nil {
			return Result{}, fmt.Errorf("blob %s: %w", b.SHA256.Short(), err)
		}
	}
	if err := w.Close(); err != nil {
		return Result{}, err
	}
	r := Result{
		Product: o.Ref.Product, Build: o.Ref.Build, Size: m.n, SHA256: manifests.SHA256(m.sum.Sum(nil)),
		Metadata: len(c.Files), Blobs: len(blobs), Patches: len(c.Patches),
	}
	for _, image := range c.Release.Images {
		r.Slots = append(r.Slots, image.Slot)
	}
	return r, nil
}

// blobs lists what the release needs: index and pack of each image, then table
// and body of each patch; each once.
func (o Options) blobs(ctx context.Context, c *ceremony.Carried) ([]blob, error) {
	var all []blob
	for _, m := range c.Release.Images {
		all = append(all, m.Index, m.Pack)
	}
	for _, p := range c.Patches {
		body, err := o.body(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("patch %s: %w", p.Table.SHA256.Short(), err)
		}
		all = append(all, p.Table, body)
	}
	seen := map[blob]bool{}
	return slices.DeleteFunc(all, func(b blob) bool {
		again := seen[b]
		seen[b] = true
		return again
	}), nil
}

// body asks the table of a patch how its body is called.
func (o Options) body(ctx context.Context, p manifests.Patch) (blob, error) {
	if p.Table.Size > patch.MaxTableBytes {
		return blob{}, fmt.Errorf("its table has %d bytes; at most %d are read", p.Table.Size, patch.MaxTableBytes)
	}
	r, err := o.Source.Open(ctx, layout.BlobFile(p.Table.SHA256))
	if err != nil {
		return blob{}, err
	}
	data, err := io.ReadAll(io.LimitReader(r, p.Table.Size+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return blob{}, err
	}
	if manifests.SumSHA256(data) != p.Table.SHA256 {
		return blob{}, errors.New("its table is not the one that was signed")
	}
	t, err := patch.Parse(data)
	if err != nil {
		return blob{}, err
	}
	if t.BodySize != p.BodySize {
		return blob{}, fmt.Errorf("its table says that the body has %d bytes, the release %d", t.BodySize, p.BodySize)
	}
	return blob{SHA256: t.BodySHA256, Size: t.BodySize}, nil
}

// add streams a blob into the bundle, and compares it with its name.
func (o Options) add(ctx context.Context, w *format.Writer, b blob, report func(int64)) error {
	body, err := o.Source.Open(ctx, layout.BlobFile(b.SHA256))
	if err != nil {
		return err
	}
	sum := sha256.New()
	err = w.Add(layout.BlobFile(b.SHA256), b.Size, io.TeeReader(&reporting{ctx, body, report}, sum))
	if err = errors.Join(err, body.Close()); err != nil {
		return err
	}
	if got := manifests.SHA256(sum.Sum(nil)); got != b.SHA256 {
		return fmt.Errorf("its sha256 is %s; the tree is damaged", got)
	}
	return nil
}
