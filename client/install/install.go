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
)

// The ends of an installation on which callers branch.
var (
	ErrSource = errors.New("the source sends other bytes than were signed")
	ErrSlot   = errors.New("the slot does not hold what was written to it")
)

// Source gives parts of the blobs of the published tree; *fetch.Client is one.
// It is asked from several goroutines.
type Source interface {
	OpenRange(ctx context.Context, r fetch.Range) (io.ReadCloser, error)
}

// Progress says how far an installation is known to have come. The zero value
// is the beginning.
type Progress struct {
	At         int64 `json:"at"`                // bytes of the image, from its beginning, that are on the medium
	Downloaded int64 `json:"downloaded"`        // bytes, over all attempts
	NoPatch    bool  `json:"noPatch,omitempty"` // the patch for this handset was tried and does not work here
}

// Old is the image that runs, from which a new one may be made.
type Old struct {
	Slot   string           // its name, for what is kept of it
	File   disk.File        // may be damaged or changed
	Size   int64            // bytes
	SHA256 manifests.SHA256 // as it was installed
}

// Options of one installation.
type Options struct {
	Image  manifests.Image
	Source Source
	Target string    // name of the slot that is written, for what is kept of it
	Slot   disk.File // at least as large as the image; for Prepare it may be read-only, or nil
	Old    *Old      // nil if there is none
	Shelf  *Shelf    // nil keeps nothing from one attempt to the next
	Plan   *Plan     // as Prepare gave it for this very progress, for one use; nil makes one
	From   Progress
	// Save makes progress durable. It is called after the slot was synced.
	Save func(Progress) error
	// Gate is asked before each segment; its error pauses the installation.
	Gate func() error
	// Agree is asked before a plan goes on that has become dearer than was
	// said. Its error ends the installation; nil ends it with what made the plan
	// dearer.
	Agree func(Quote) error
	// Report is told how many bytes of the image are done; it may be nil.
	Report func(done, total int64)

	// Segment is how many bytes are written between two syncs; 0 is 16 MiB.
	Segment int64
}

// Install fetches and writes what is missing. When it returns nil the slot is
// synced, but not yet proved: Verify does that. The progress is the last that
// was saved, with errors too.
func Install(ctx context.Context, o Options) (Progress, error) {
	at := o.From
	if err := o.Gate(); err != nil {
		return at, err
	}
	if o.Plan == nil {
		var err error
		if o.Plan, err = Prepare(ctx, o); err != nil {
			return at, err
		}
	}
	plan := *o.Plan
	at = plan.progress
	if err := o.fits(); err != nil {
		return at, err
	}
	a := newAttempt(&o, &at)
	a.plan = &plan
	err := a.run(ctx)
	if errors.Is(err, ErrSlot) { // what was saved does not hold: all of it again, next time
		at.At = 0
		err = errors.Join(err, o.Save(at))
	}
	return at, err
}

// fits refuses a slot that is too small before it is written to.
func (o *Options) fits() error {
	size, err := o.Slot.Size()
	if err != nil {
		return fmt.Errorf("slot %s: %w", o.Image.Slot, err)
	}
	if size < o.Image.Size {
		return fmt.Errorf("slot %s has %d bytes; the image has %d", o.Image.Slot, size, o.Image.Size)
	}
	return nil
}

// sane refuses images that no index could describe.
func (o *Options) sane() error {
	if size := o.Image.Size; size <= 0 || size > image.MaxImageBytes {
		return fmt.Errorf("image %s has %d bytes; it must have from 1 to %d", o.Image.Slot, size, int64(image.MaxImageBytes))
	}
	return nil
}

// Verify reads a slot back and compares it with what was signed.
func Verify(ctx context.Context, slot disk.File, m manifests.Image) error {
	h, buffer := sha256.New(), make([]byte, min(1<<20, m.Size))
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
