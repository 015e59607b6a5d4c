package install

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
)

// Bounds of an installation.
const (
	segmentBytes = 16 << 20 // written between two syncs; the design allows 32 MiB
	maxBad       = 3        // blobs of one origin that do not hold
	maxBadOfMany = 30       // of all origins together
	depth        = 8        // chunks in flight between two stages
)

// The ends of an installation on which callers branch.
var (
	ErrSource = errors.New("the source sends other bytes than were signed")
	ErrSlot   = errors.New("the slot does not hold what was written to it")
)

// Source streams a blob of the published tree; *fetch.Client is one.
type Source interface {
	Open(ctx context.Context, path string, offset, size int64) (io.ReadCloser, error)
}

// Progress says how far an installation is known to have come. The zero value
// is the beginning.
type Progress struct {
	Row        int   `json:"row"`        // the first chunk that is not on the medium
	Downloaded int64 `json:"downloaded"` // bytes, over all attempts
}

// Options of one installation.
type Options struct {
	Image  manifests.Image
	Source Source
	Slot   disk.File // at least as large as the image
	From   Progress
	// Save makes progress durable. It is called after the slot was synced.
	Save func(Progress) error
	// Gate is asked before each segment; its error pauses the installation.
	Gate func() error
	// Again is asked before that many bytes, which are here already, are fetched
	// once more, because the server cannot send the rest alone. Its error ends
	// the installation; nil ends it with fetch.ErrRangeIgnored.
	Again func(bytes int64) error
	// Report is told how many bytes of the pack are done; it may be nil.
	Report func(done, total int64)

	Segment int64 // bytes between two syncs; 0 is 16 MiB
}

// Install fetches and writes what is missing. When it returns nil the slot is
// synced, but not yet proved: Verify does that. The progress is the last that
// was saved, with errors too.
func Install(ctx context.Context, o Options) (Progress, error) {
	at := o.From
	if err := o.Gate(); err != nil {
		return at, err
	}
	index, err := o.fetchIndex(ctx)
	if err != nil {
		return at, err
	}
	if at.Row < 0 || at.Row > len(index.Rows) {
		at.Row = 0 // a progress of another image
	}
	again := func(err error) bool {
		return errors.Is(err, image.ErrMismatch) || (errors.Is(err, fetch.ErrRangeIgnored) && o.Again != nil)
	}
	err = o.attempts(again, func() error { return pass(ctx, &o, index, &at) })
	if errors.Is(err, ErrSlot) { // what was saved does not hold: all of it again, next time
		at.Row = 0
		err = errors.Join(err, o.Save(at))
	}
	return at, err
}

// attempts calls try until it succeeds, as long as again says that its error
// may be the fault of one origin. A source with a single one has three chances;
// a Blamer says itself when nobody is left to ask.
func (o *Options) attempts(again func(error) bool, try func() error) error {
	limit := maxBad
	if _, ok := o.Source.(Blamer); ok {
		limit = maxBadOfMany
	}
	var last error
	for range limit {
		err := try()
		switch {
		case errors.Is(err, fetch.ErrNoMirror) && last != nil:
			return fmt.Errorf("slot %s: %w: %w; %w", o.Image.Slot, ErrSource, err, last)
		case errors.Is(err, image.ErrFrame):
			return fmt.Errorf("slot %s: %w: %w", o.Image.Slot, ErrSource, err) // so it was signed
		case err == nil || !again(err):
			return err
		}
		last = err
	}
	return fmt.Errorf("slot %s: %w, %d times: %w", o.Image.Slot, ErrSource, limit, last)
}

// Verify reads a slot back and compares it with what was signed.
func Verify(ctx context.Context, slot disk.File, m manifests.Image) error {
	h, buffer := sha256.New(), make([]byte, 1<<20)
	for at := int64(0); at < m.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := slot.ReadAt(buffer[:min(int64(len(buffer)), m.Size-at)], at)
		if n == 0 && err != nil {
			return fmt.Errorf("read slot %s back at byte %d: %w", m.Slot, at, err)
		}
		h.Write(buffer[:n])
		at += int64(n)
	}
	if got := manifests.SHA256(h.Sum(nil)); got != m.SHA256 {
		return fmt.Errorf("slot %s: %w: sha256 is %s, %s was signed", m.Slot, ErrSlot, got.Short(), m.SHA256.Short())
	}
	return nil
}
