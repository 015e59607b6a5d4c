package install

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
)

// Blamer is a Source with several origins, *fetch.Client for one. Its bodies
// name theirs with Origin. It gives bytes from elsewhere after a Blame, and
// fetch.ErrNoMirror once no origin is left.
type Blamer interface{ Blame(origin string) }

func (o *Options) blame(origin string) {
	if b, ok := o.Source.(Blamer); ok {
		b.Blame(origin)
	}
}

func originOf(body io.Reader) string {
	if b, ok := body.(interface{ Origin() string }); ok {
		return b.Origin()
	}
	return ""
}

// download is the first stage: the pack, from the first missing row on.
type download struct {
	options *Options
	index   *image.Index
	free    <-chan []byte
}

func (d *download) run(ctx context.Context, from int, to chan<- chunk) (err error) {
	var body io.ReadCloser
	if position := d.index.PackPosition(from); position < d.index.PackSize {
		if body, err = d.open(ctx, position); err != nil {
			return fmt.Errorf("pack of slot %s: %w", d.options.Image.Slot, err)
		}
		defer func() { err = errors.Join(err, body.Close()) }()
	}
	for i := from; i < len(d.index.Rows); i++ {
		c := chunk{row: i}
		if d.index.Unique(i) {
			c.packed = buffer(d.free)[:d.index.Rows[i].PackedLength]
			if _, err := io.ReadFull(body, c.packed); err != nil {
				return fmt.Errorf("pack of slot %s, byte %d: %w", d.options.Image.Slot, d.index.Rows[i].PackOffset, err)
			}
			c.origin = originOf(body)
		}
		if err := send(ctx, to, c); err != nil {
			return err
		}
	}
	return nil
}

// open starts the pack at position. A server that can only send all of it is
// read from the beginning, if that is agreed to.
func (d *download) open(ctx context.Context, position int64) (io.ReadCloser, error) {
	path := layout.BlobFile(d.options.Image.Pack.SHA256)
	body, err := d.options.Source.Open(ctx, path, position, d.index.PackSize)
	if !errors.Is(err, fetch.ErrRangeIgnored) || d.options.Again == nil {
		return body, err
	}
	if refusal := d.options.Again(position); refusal != nil {
		return nil, refusal
	}
	if body, err = d.options.Source.Open(ctx, path, 0, d.index.PackSize); err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, body, position); err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return body, nil
}
