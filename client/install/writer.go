package install

import (
	"fmt"

	"github.com/candor-ota/candor/manifests/image"
)

// writer puts pieces into the slot, in order.
type writer struct {
	*attempt
	next   int64  // image offset behind the last piece
	synced int64  // image offset up to which the slot was synced
	repeat []byte // bytes read back, and proved
	from   int64  // where repeat was read; -1 for nowhere
}

func newWriter(a *attempt, first int) *writer {
	w := &writer{attempt: a, next: a.Image.Size, synced: a.at.At, from: -1}
	if first < a.plan.recipe.pieces() {
		w.next = a.plan.recipe.piece(first).offset
	}
	w.synced = min(w.synced, w.next)
	return w
}

func (w *writer) add(j *job) error {
	p := &j.piece
	switch p.origin {
	case repeated:
		if err := w.again(j); err != nil {
			return err
		}
		j.plain = w.repeat
		fallthrough
	case made:
		if _, err := w.Slot.WriteAt(j.plain, p.offset); err != nil {
			return fmt.Errorf("slot %s, byte %d: %w", w.Image.Slot, p.offset, err)
		}
	case inPlace: // and proved
	}
	w.next = p.offset + int64(p.length)
	if w.next-w.synced < w.segmentLength() {
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	return w.Gate()
}

// again gives bytes that occurred before: read from where they were written,
// and proved anew. The last ones are kept, since an empty stretch repeats one
// chunk very often.
func (w *writer) again(j *job) error {
	if w.from == j.piece.repeat {
		return nil
	}
	if w.repeat == nil {
		w.repeat = make([]byte, 0, image.MaxChunkBytes)
	}
	w.from, w.repeat = -1, w.repeat[:j.piece.length]
	if err := readAll(w.Slot, w.repeat, j.piece.repeat); err != nil {
		return fmt.Errorf("slot %s: %w", w.Image.Slot, err)
	}
	if !w.plan.recipe.holds(j.number, w.repeat) {
		return fmt.Errorf("slot %s, byte %d: %w", w.Image.Slot, j.piece.repeat, ErrSlot)
	}
	w.from = j.piece.repeat
	return nil
}

// sync makes what was added durable, and then says so.
func (w *writer) sync() error {
	if err := w.Slot.Sync(); err != nil {
		return fmt.Errorf("slot %s: %w", w.Image.Slot, err)
	}
	w.synced = w.next
	w.at.At, w.at.Downloaded = w.next, w.downloaded()
	if w.Report != nil {
		w.Report(w.at.At, w.Image.Size)
	}
	return w.Save(*w.at)
}

func (w *writer) finish() error {
	if w.next == w.at.At && w.downloaded() == w.at.Downloaded {
		return nil
	}
	return w.sync()
}
