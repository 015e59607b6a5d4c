package install

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
)

// Bounds of an installation.
const (
	segmentBytes  = 16 << 20 // written between two syncs; the design allows 32 MiB
	maxIndexBytes = 64 << 20
	maxBad        = 3 // chunks of a source that do not hold
	depth         = 8 // chunks in flight between two stages
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
	// Report is told how many bytes of the pack are done; it may be nil.
	Report func(done, total int64)
}

// Install fetches and writes what is missing. When it returns nil the slot is
// synced, but not yet proved: Verify does that. The progress is the last that
// was saved, with errors too.
func Install(ctx context.Context, o Options) (Progress, error) {
	at := o.From
	if err := o.Gate(); err != nil {
		return at, err
	}
	index, err := fetchIndex(ctx, &o)
	if err != nil {
		return at, err
	}
	if at.Row < 0 || at.Row > len(index.Rows) {
		at.Row = 0 // a progress of another image
	}
	var bad int
	for at.Row < len(index.Rows) {
		err := pass(ctx, &o, index, &at)
		if err == nil {
			break
		}
		if !errors.Is(err, image.ErrMismatch) && !errors.Is(err, image.ErrFrame) {
			return at, err
		}
		if bad++; bad == maxBad {
			return at, fmt.Errorf("slot %s: %w, %d times: %w", o.Image.Slot, ErrSource, bad, err)
		}
	}
	return at, nil
}

// fetchIndex reads the table of chunks; nothing of it is parsed before the hash
// that was signed holds.
func fetchIndex(ctx context.Context, o *Options) (*image.Index, error) {
	ref := o.Image.Index
	if ref.Size > maxIndexBytes {
		return nil, fmt.Errorf("index of slot %s: %d bytes; at most %d are read", o.Image.Slot, ref.Size, maxIndexBytes)
	}
	body, err := o.Source.Open(ctx, layout.BlobFile(ref.SHA256), 0, ref.Size)
	if err != nil {
		return nil, fmt.Errorf("index of slot %s: %w", o.Image.Slot, err)
	}
	data, err := io.ReadAll(io.LimitReader(body, ref.Size+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("index of slot %s: %w", o.Image.Slot, err)
	}
	if int64(len(data)) != ref.Size || sha256.Sum256(data) != ref.SHA256 {
		return nil, fmt.Errorf("index of slot %s: %w", o.Image.Slot, ErrSource)
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
