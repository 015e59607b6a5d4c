package importer

import (
	"compress/bzip2"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/candor-ota/candor/manifests"
)

// maxWorkers bounds the memory: each may hold a dictionary of maxDictionary.
const maxWorkers = 8

// partitionWriter applies the operations of one partition. Each writes blocks
// that no other writes, so their order does not matter.
type partitionWriter struct {
	payload *payload
	part    *partition
}

func (p *payload) writer(part *partition) *partitionWriter { return &partitionWriter{p, part} }

// write fills a file of the partition's size, and reads it back to compare its
// hash with the manifest's. Each byte counts half in progress: once written,
// once read.
func (w *partitionWriter) write(ctx context.Context, out target, progress func(int64)) (manifests.SHA256, error) {
	var mu sync.Mutex
	var done int64
	add := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		done += n
		progress(done / 2)
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.GOMAXPROCS(0), maxWorkers))
	for i := range w.part.operations {
		o := &w.part.operations[i]
		group.Go(func() error {
			if err := w.apply(working, o, out, add); err != nil {
				return fmt.Errorf("operation %d (%s): %w", i, o.kind, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return manifests.SHA256{}, err
	}
	sum := sha256.New()
	if err := stream(ctx, sum, io.NewSectionReader(out, 0, int64(w.part.size)), add); err != nil {
		return manifests.SHA256{}, err
	}
	got := manifests.SHA256(sum.Sum(nil))
	if got != *w.part.hash {
		return got, fmt.Errorf("its sha256 is %s, the manifest says %s", got, *w.part.hash)
	}
	return got, nil
}

func (w *partitionWriter) apply(ctx context.Context, o *operation, out io.WriterAt, add func(int64)) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	to := &extentWriter{out: out, extents: o.to, block: w.payload.manifest.block}
	if !o.kind.hasData() {
		add(to.room()) // the file is new: what was not written is zero
		return nil
	}
	data := func() *io.SectionReader {
		return io.NewSectionReader(w.payload.r, w.payload.data+int64(o.data.offset), int64(o.data.length))
	}
	sum := sha256.New()
	if err := stream(ctx, sum, data(), func(int64) {}); err != nil {
		return err
	}
	if got := manifests.SHA256(sum.Sum(nil)); got != *o.hash {
		return fmt.Errorf("the sha256 of its data is %s, the manifest says %s", got, *o.hash)
	}
	var plain io.Reader = data()
	switch o.kind {
	case replaceBZ:
		plain = bzip2.NewReader(data())
	case replaceXZ:
		plain = newXZ(data())
	}
	if err := stream(ctx, to, plain, add); err != nil {
		return err
	}
	if left := to.room(); left > 0 {
		return fmt.Errorf("its data ends %d bytes before its blocks do", left)
	}
	return nil
}

// stream copies, can be cancelled, and tells how much it has copied.
func stream(ctx context.Context, to io.Writer, from io.Reader, add func(int64)) error {
	buf := make([]byte, 128<<10)
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			add(int64(n))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// extentWriter writes through the extents of an operation in their order, and
// not a byte further.
type extentWriter struct {
	out     io.WriterAt
	extents []extent
	block   int64
	within  int64 // the first extent is written up to here
}

// room is how many bytes are still to be written.
func (w *extentWriter) room() int64 {
	left := -w.within
	for _, e := range w.extents {
		left += int64(e.count) * w.block
	}
	return left
}

func (w *extentWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if len(w.extents) == 0 {
			return written, errors.New("its data goes on beyond its blocks")
		}
		e := w.extents[0]
		size := int64(e.count) * w.block
		part := p[:min(int64(len(p)), size-w.within)]
		if _, err := w.out.WriteAt(part, int64(e.start)*w.block+w.within); err != nil {
			return written, err
		}
		written, p = written+len(part), p[len(part):]
		if w.within += int64(len(part)); w.within == size {
			w.extents, w.within = w.extents[1:], 0
		}
	}
	return written, nil
}
