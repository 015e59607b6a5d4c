package install

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests/image"
)

// chunk is one row on its way: packed, then plain. A repeated row has neither.
type chunk struct {
	row    int
	packed []byte
	plain  []byte
	origin string // where packed came from, as Blamer wants it
}

// pass streams the pack from the first missing row to its end: one stage
// downloads, one decodes, one writes. What arrived before a stage failed is
// still written and saved, unless it is writing that failed.
func pass(ctx context.Context, o *Options, index *image.Index, at *Progress) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	downloaded, decoded := make(chan chunk, depth), make(chan chunk, depth)
	free := make(chan []byte, 4*depth) // buffers that can be used again
	var downloading, decoding, writing error
	start := at.Row
	go func() {
		defer close(downloaded)
		downloading = (&download{options: o, index: index, free: free}).run(ctx, start, downloaded)
	}()
	go func() {
		defer close(decoded)
		if decoding = decode(ctx, o, index, downloaded, decoded, free); decoding != nil {
			cancel()
			for range downloaded { // until the stage before has seen it
			}
		}
	}()
	w := &writer{options: o, index: index, at: at, held: -1}
	for c := range decoded {
		if writing == nil {
			if writing = w.add(c); writing != nil {
				cancel()
			}
		}
		recycle(free, c.plain)
	}
	switch {
	case writing != nil:
		return writing
	case decoding != nil: // a cancelled context too: rows are missing then
		return errors.Join(decoding, w.finish())
	case downloading != nil:
		return errors.Join(downloading, w.finish())
	}
	return w.finish()
}

func recycle(free chan<- []byte, b []byte) {
	if cap(b) == 0 {
		return
	}
	select {
	case free <- b[:0]:
	default:
	}
}

func buffer(free <-chan []byte) []byte {
	select {
	case b := <-free:
		return b
	default:
		return make([]byte, 0, image.MaxChunkBytes)
	}
}

// send passes a chunk on, unless everything ends.
func send(ctx context.Context, to chan<- chunk, c chunk) error {
	select {
	case to <- c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func decode(ctx context.Context, o *Options, index *image.Index, from <-chan chunk, to chan<- chunk, free chan []byte) error {
	u, err := image.NewUnpacker()
	if err != nil {
		return err
	}
	defer u.Close()
	for c := range from {
		if c.packed != nil {
			if c.plain, err = u.Unpack(buffer(free), &index.Rows[c.row], c.packed); err != nil {
				if errors.Is(err, image.ErrMismatch) {
					o.blame(c.origin)
				}
				return fmt.Errorf("pack of slot %s, row %d: %w", o.Image.Slot, c.row, err)
			}
			recycle(free, c.packed)
			c.packed = nil
		}
		if err := send(ctx, to, c); err != nil {
			return err
		}
	}
	return nil
}
