package install

import (
	"cmp"
	"crypto/sha256"
	"fmt"

	"github.com/candor-ota/candor/manifests/image"
)

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
	repeat  []byte // a chunk read back, and proved
	held    int32  // the row that repeat holds; -1 for none
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
	segment := cmp.Or(w.options.Segment, segmentBytes)
	if int64(len(w.pending)) >= min(writeBytes, segment) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.begin-w.synced < segment {
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	return w.options.Gate()
}

// again gives a chunk that occurred before: read from where it was written, and
// proved anew. The last one is kept, since an empty stretch repeats one chunk
// very often.
func (w *writer) again(row *image.Row) ([]byte, error) {
	if w.held == row.First {
		return w.repeat, nil
	}
	first := w.index.Rows[row.First]
	if first.Offset+int64(first.Length) > w.begin {
		if err := w.flush(); err != nil {
			return nil, err
		}
	}
	if w.repeat == nil {
		w.repeat = make([]byte, 0, image.MaxChunkBytes)
	}
	w.held, w.repeat = -1, w.repeat[:row.Length]
	if _, err := w.options.Slot.ReadAt(w.repeat, first.Offset); err != nil {
		return nil, fmt.Errorf("slot %s, byte %d: %w", w.options.Image.Slot, first.Offset, err)
	}
	if sha256.Sum256(w.repeat) != row.SHA256 {
		return nil, fmt.Errorf("slot %s, byte %d: %w", w.options.Image.Slot, first.Offset, ErrSlot)
	}
	w.held = row.First
	return w.repeat, nil
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
