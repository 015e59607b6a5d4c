package install

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
)

// fetchIndex reads the table of chunks; nothing of it is parsed before the hash
// that was signed holds.
func (o *Options) fetchIndex(ctx context.Context) (*image.Index, error) {
	if size := o.Image.Index.Size; size < 0 || size > image.MaxIndexBytes {
		return nil, fmt.Errorf("index of slot %s: %d bytes; at most %d are read", o.Image.Slot, size, image.MaxIndexBytes)
	}
	var data []byte
	mismatch := func(err error) bool { return errors.Is(err, image.ErrMismatch) }
	err := o.attempts(mismatch, func() (err error) {
		data, err = o.readIndex(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	index, err := image.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("index of slot %s: %w", o.Image.Slot, err)
	}
	if index.ImageSize != o.Image.Size || index.ImageSHA256 != o.Image.SHA256 || index.PackSize != o.Image.Pack.Size || index.PackSHA256 != o.Image.Pack.SHA256 {
		return nil, fmt.Errorf("index of slot %s: it describes another image or pack than the release", o.Image.Slot)
	}
	return index, nil
}

func (o *Options) readIndex(ctx context.Context) ([]byte, error) {
	ref := o.Image.Index
	body, err := o.Source.Open(ctx, layout.BlobFile(ref.SHA256), 0, ref.Size)
	if err != nil {
		return nil, fmt.Errorf("index of slot %s: %w", o.Image.Slot, err)
	}
	data := make([]byte, ref.Size)
	_, err = io.ReadFull(body, data)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("index of slot %s: %w", o.Image.Slot, err)
	}
	if sha256.Sum256(data) != ref.SHA256 {
		o.blame(originOf(body))
		return nil, fmt.Errorf("index of slot %s: sha256: %w", o.Image.Slot, image.ErrMismatch)
	}
	return data, nil
}
