package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/patch"
)

// pair is an old and a new image, from which a patch is made.
type pair struct {
	from, source string
	workers      int
	progress     func(done, total int64)
}

// patch writes the body of the patch and gives its table.
func (p pair) patch(ctx context.Context, body io.Writer) (_ *patch.Table, err error) {
	var files [2]*source
	for i, path := range []string{p.from, p.source} {
		if files[i], err = openSource(path); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, files[i].file.Close()) }()
	}
	table, err := patch.Build(ctx, patch.Options{
		Old: files[0].file, OldSize: files[0].size, New: files[1].file, NewSize: files[1].size,
		Body: body, Workers: p.workers, Progress: p.progress,
	})
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := f.unchanged(); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// VerifyPatchOptions say what VerifyPatch compares.
type VerifyPatchOptions struct {
	From     string          // the co-signer's own raw image of the older build
	Source   string          // his own raw image of this build
	Want     manifests.Patch // the entry of the release
	Workers  int             // goroutines; 0 is one for each core
	Progress func(done, total int64)
}

// VerifyPatch builds a patch from images of the co-signer's own, writing
// nothing, and compares it with the release. A difference is ErrDiffers.
func VerifyPatch(ctx context.Context, o VerifyPatchOptions) error {
	made, err := pair{from: o.From, source: o.Source, workers: o.Workers, progress: o.Progress}.patch(ctx, io.Discard)
	if err != nil {
		return fmt.Errorf("verify patch from %s: %w", o.From, err)
	}
	table, err := made.MarshalBinary()
	if err != nil {
		return fmt.Errorf("verify patch from %s: %w", o.From, err)
	}
	switch got := entry(made, table); {
	case got.FromSHA256 != o.Want.FromSHA256:
		return fmt.Errorf("verify patch: the old image %s %w: its sha256 is %s, the release's %s", o.From, ErrDiffers, got.FromSHA256, o.Want.FromSHA256)
	case got != o.Want:
		return fmt.Errorf("the patch from %s %w: its table has %d bytes, sha256 %s, the release's %d, %s; is it the same version of this program?",
			o.From, ErrDiffers, got.Table.Size, got.Table.SHA256, o.Want.Table.Size, o.Want.Table.SHA256)
	}
	return nil
}

// Hash gives the SHA-256 of a raw image, by which releases name older ones.
func Hash(ctx context.Context, path string) (_ manifests.SHA256, err error) {
	in, err := openSource(path)
	if err != nil {
		return manifests.SHA256{}, err
	}
	defer func() { err = errors.Join(err, in.file.Close()) }()
	h, b := sha256.New(), make([]byte, 1<<20)
	for {
		n, err := in.Read(b)
		h.Write(b[:n])
		if errors.Is(err, io.EOF) {
			return manifests.SHA256(h.Sum(nil)), in.unchanged()
		}
		if err != nil {
			return manifests.SHA256{}, err
		}
		if ctx.Err() != nil {
			return manifests.SHA256{}, context.Cause(ctx)
		}
	}
}
