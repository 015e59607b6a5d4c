package build

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/manifests"
)

// ErrDiffers says that a co-signer's own image does not give the blobs that he
// is asked to sign for.
var ErrDiffers = errors.New("differs from the release")

// VerifyOptions say what Verify compares.
type VerifyOptions struct {
	Source   string          // the co-signer's own raw image
	Want     manifests.Image // the entry of the release
	Workers  int             // goroutines that compress; 0 is one for each core
	Progress func(done, total int64)
}

// Verify builds index and pack from an image of the co-signer's own, writing
// nothing, and compares sizes and hashes with the release. A difference is
// ErrDiffers and says where it begins: with the image, or only with the pack.
func Verify(ctx context.Context, o VerifyOptions) error {
	if err := o.verify(ctx); err != nil {
		return fmt.Errorf("verify %s against slot %s: %w", o.Source, o.Want.Slot, err)
	}
	return nil
}

func (o VerifyOptions) verify(ctx context.Context) (err error) {
	in, err := openSource(o.Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.file.Close()) }()
	if in.size != o.Want.Size {
		return fmt.Errorf("the image %w: it has %d bytes, the release's %d", ErrDiffers, in.size, o.Want.Size)
	}
	cut, err := chunk(ctx, in, io.Discard, o.Workers, o.Progress)
	if err != nil {
		return err
	}
	_, got, err := cut.describe()
	if err != nil {
		return err
	}
	if got.SHA256 != o.Want.SHA256 {
		return fmt.Errorf("the image %w: its sha256 is %s, the release's %s", ErrDiffers, got.SHA256, o.Want.SHA256)
	}
	for _, b := range []struct {
		name      string
		got, want manifests.Blob
	}{{"pack", got.Pack, o.Want.Pack}, {"index", got.Index, o.Want.Index}} {
		if b.got != b.want {
			return fmt.Errorf("the %s %w, though the image is the same: %d bytes, sha256 %s, the release's %d, %s; is it the same version of this program?",
				b.name, ErrDiffers, b.got.Size, b.got.SHA256, b.want.Size, b.want.SHA256)
		}
	}
	return nil
}
