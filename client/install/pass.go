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

// chunk is one row on its way: packed, then plain. A repeated row has neither.
type chunk struct {
	row    int
	packed []byte
	plain  []byte
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
		downloading = download(ctx, o, index, start, downloaded, free)
	}()
	go func() {
		defer close(decoded)
		if decoding = decode(ctx, index, downloaded, decoded, free); decoding != nil {
			cancel()
			for range downloaded { // until the stage before has seen it
			}
		}
	}()
	w := &writer{options: o, index: index, at: at}
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
	case decoding != nil && !errors.Is(decoding, context.Canceled):
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

func download(ctx context.Context, o *Options, index *image.Index, from int, to chan<- chunk, free <-chan []byte) (err error) {
	var body io.ReadCloser
	defer func() {
		if body != nil {
			err = errors.Join(err, body.Close())
		}
	}()
	if position := index.PackPosition(from); position < index.PackSize {
		if body, err = o.Source.Open(ctx, layout.BlobFile(o.Image.Pack.SHA256), position, index.PackSize); err != nil {
			return fmt.Errorf("pack of slot %s: %w", o.Image.Slot, err)
		}
	}
	for i := from; i < len(index.Rows); i++ {
		c := chunk{row: i}
		if index.Unique(i) {
			c.packed = buffer(free)[:index.Rows[i].PackedLength]
			if _, err := io.ReadFull(body, c.packed); err != nil {
				return fmt.Errorf("pack of slot %s, byte %d: %w", o.Image.Slot, index.Rows[i].PackOffset, err)
			}
		}
		if err := send(ctx, to, c); err != nil {
			return err
		}
	}
	return nil
}

func decode(ctx context.Context, index *image.Index, from <-chan chunk, to chan<- chunk, free chan []byte) error {
	u, err := image.NewUnpacker()
	if err != nil {
		return err
	}
	defer u.Close()
	for c := range from {
		if c.packed != nil {
			if c.plain, err = u.Unpack(buffer(free), &index.Rows[c.row], c.packed); err != nil {
				return err
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

// writer puts chunks into the slot, a large write at a time.
type writer struct {
	options *Options
	index   *image.Index
	at      *Progress
	pending []byte // follows written
	begin   int64  // image offset of pending
	synced  int64  // image offset up to which the slot was synced
	next    int    // row after the last one added
	ready   bool
}

const writeBytes = 1 << 20

func (w *writer) add(c chunk) error {
	row := &w.index.Rows[c.row]
	if !w.ready {
		w.begin, w.synced, w.ready = row.Offset, row.Offset, true
	}
	plain := c.plain
	if !w.index.Unique(c.row) {
		var err error
		if plain, err = w.again(row); err != nil {
			return err
		}
	}
	w.pending = append(w.pending, plain...)
	w.next = c.row + 1
	if len(w.pending) >= writeBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.begin-w.synced < segmentBytes {
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	return w.options.Gate()
}

// again reads a chunk that occurred before, from where it was written, and
// proves it anew.
func (w *writer) again(row *image.Row) ([]byte, error) {
	first := w.index.Rows[row.First]
	if first.Offset+int64(first.Length) > w.begin {
		if err := w.flush(); err != nil {
			return nil, err
		}
	}
	b := make([]byte, row.Length)
	if _, err := w.options.Slot.ReadAt(b, first.Offset); err != nil {
		return nil, fmt.Errorf("slot %s, byte %d: %w", w.options.Image.Slot, first.Offset, err)
	}
	if sha256.Sum256(b) != row.SHA256 {
		return nil, fmt.Errorf("slot %s, byte %d: %w", w.options.Image.Slot, first.Offset, ErrSlot)
	}
	return b, nil
}

func (w *writer) flush() error {
	if _, err := w.options.Slot.WriteAt(w.pending, w.begin); err != nil {
		return fmt.Errorf("slot %s, byte %d: %w", w.options.Image.Slot, w.begin, err)
	}
	w.begin += int64(len(w.pending))
	w.pending = w.pending[:0]
	return nil
}

// sync makes what was added durable, and then says so.
func (w *writer) sync() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.options.Slot.Sync(); err != nil {
		return fmt.Errorf("slot %s: %w", w.options.Image.Slot, err)
	}
	w.at.Downloaded += w.index.PackPosition(w.next) - w.index.PackPosition(w.at.Row)
	w.at.Row, w.synced = w.next, w.begin
	if w.options.Report != nil {
		w.options.Report(w.index.PackPosition(w.next), w.index.PackSize)
	}
	return w.options.Save(*w.at)
}

func (w *writer) finish() error {
	if !w.ready {
		return nil
	}
	return w.sync()
}
