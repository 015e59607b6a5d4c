package patch

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/candor-ota/candor/manifests/image"
)

// Options say what Build reads and writes.
type Options struct {
	Old, New         io.ReaderAt // safe for concurrent use
	OldSize, NewSize int64
	Body             io.Writer
	Workers          int                     // goroutines; 0 is one for each core
	Progress         func(done, total int64) // of the work, in bytes; never called twice at once; may be nil
}

// Build writes the body of the patch that turns Old into New, and gives its
// table. It takes at most 512 MiB of memory for two images of 4 GiB. The same
// images give the same bytes, whatever Workers is.
func Build(ctx context.Context, o Options) (*Table, error) {
	for name, size := range map[string]int64{"old": o.OldSize, "new": o.NewSize} {
		if size <= 0 || size > image.MaxImageBytes {
			return nil, fmt.Errorf("the %s image has %d bytes; a patch is between images of 1 to %d", name, size, int64(image.MaxImageBytes))
		}
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	b := &builder{Options: o, total: o.OldSize + 2*o.NewSize}
	t := &Table{FromSize: o.OldSize}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { t.FromSHA256, err = hashAll(ctx, o.Old, o.OldSize); return err })
	group.Go(func() (err error) { t.SHA256, err = hashAll(ctx, o.New, o.NewSize); return err })
	group.Go(func() error { return b.build(ctx, t) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return t, nil
}

// builder is the work on one pair of images.
type builder struct {
	Options
	done, total int64 // of Progress
}

func (b *builder) build(ctx context.Context, t *Table) error {
	seen, err := b.readOld(ctx)
	if err != nil {
		return fmt.Errorf("read old image: %w", err)
	}
	pieces, err := b.readNew(ctx, seen)
	if err != nil {
		return fmt.Errorf("read new image: %w", err)
	}
	segments := plan(pieces)
	if err := b.findWindows(ctx, segments, seen.points); err != nil {
		return fmt.Errorf("read new image: %w", err)
	}
	*seen = oldImage{} // the encoders need the memory
	return b.encode(ctx, segments, t)
}

// advance tells the owner of the builder how far it is. One goroutine at a time
// calls it.
func (b *builder) advance(n int64) {
	if b.done += n; b.Progress != nil {
		b.Progress(b.done, b.total)
	}
}

// hashAll gives the SHA-256 of size bytes.
func hashAll(ctx context.Context, r io.ReaderAt, size int64) ([sha256.Size]byte, error) {
	h, b := sha256.New(), make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(b)) {
		if ctx.Err() != nil {
			return [sha256.Size]byte{}, context.Cause(ctx)
		}
		b = b[:min(int64(len(b)), size-at)]
		if err := readAll(r, b, at); err != nil {
			return [sha256.Size]byte{}, err
		}
		h.Write(b)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
