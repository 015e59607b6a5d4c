package build

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/candor-ota/candor/manifests/image"
)

// maxWorkers keeps the memory of the encoders, about 34 MiB each, within bounds
// on machines with many cores.
const maxWorkers = 5

// cutting is the work on one image. One goroutine reads, cuts and hashes; many
// compress; one writes in image order, so that their number shows nowhere.
type cutting struct {
	in       *source
	out      *bufio.Writer
	progress func(done, total int64)
	packer   *image.Packer
	seen     map[[sha256.Size]byte]int // chunk to the row that it occurred in first
	index    image.Index
	unique   int
	free     chan *piece // bounds the memory
	work     chan *piece
	queue    chan *piece // in image order
}

// piece is one row on its way through.
type piece struct {
	sum     [sha256.Size]byte
	first   int // the row of its first occurrence, -1 if this is it
	plain   []byte
	packed  []byte
	packing chan struct{} // has one element once packed is there
}

// chunk cuts the image and writes the pack to out.
func chunk(ctx context.Context, in *source, out io.Writer, workers int, progress func(done, total int64)) (*cutting, error) {
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, maxWorkers)
	packer, err := image.NewPacker(workers)
	if err != nil {
		return nil, err
	}
	pieces := 4 * workers
	packSum := sha256.New()
	c := &cutting{
		in: in, out: bufio.NewWriterSize(io.MultiWriter(out, packSum), 1<<20), progress: progress, packer: packer,
		seen: map[[sha256.Size]byte]int{},
		free: make(chan *piece, pieces), work: make(chan *piece, pieces), queue: make(chan *piece, pieces),
	}
	for range pieces {
		c.free <- &piece{packing: make(chan struct{}, 1)}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.read(ctx) })
	for range workers {
		group.Go(func() error { return c.pack(ctx) })
	}
	group.Go(func() error { return c.write(ctx) })
	if err := errors.Join(group.Wait(), packer.Close()); err != nil {
		return nil, err
	}
	c.index.PackSHA256 = [sha256.Size]byte(packSum.Sum(nil))
	return c, nil
}

// read cuts the image and hands its pieces on.
func (c *cutting) read(ctx context.Context) error {
	defer close(c.work)
	defer close(c.queue)
	whole := sha256.New()
	chunks := image.NewChunker(io.TeeReader(c.in, whole), image.ParamsFor(c.in.size))
	for row, done := 0, int64(0); ; row++ {
		chunk, err := chunks.Next()
		if errors.Is(err, io.EOF) {
			c.index.ImageSHA256 = [sha256.Size]byte(whole.Sum(nil))
			return c.in.unchanged()
		}
		if err != nil {
			return err
		}
		if err := c.handOn(ctx, row, chunk); err != nil {
			return err
		}
		if done += int64(len(chunk)); c.progress != nil {
			c.progress(done, c.in.size)
		}
	}
}

func (c *cutting) handOn(ctx context.Context, row int, chunk []byte) error {
	var p *piece
	select {
	case p = <-c.free:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.sum = sha256.Sum256(chunk)
	if first, ok := c.seen[p.sum]; ok {
		p.first = first
	} else {
		c.seen[p.sum] = row
		p.first, p.plain = -1, append(p.plain[:0], chunk...)
		c.work <- p // never full: it holds every piece that there is
	}
	c.queue <- p
	return nil
}

func (c *cutting) pack(ctx context.Context) error {
	for p := range c.work {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.packed = c.packer.Pack(p.packed[:0], p.plain)
		p.packing <- struct{}{}
	}
	return nil
}

func (c *cutting) write(ctx context.Context) error {
	for p := range c.queue {
		if p.first >= 0 {
			c.index.Repeat(p.first)
			c.free <- p
			continue
		}
		select {
		case <-p.packing:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if _, err := c.out.Write(p.packed); err != nil {
			return err
		}
		c.index.Add(len(p.plain), len(p.packed), [image.SumBytes]byte(p.sum[:]), image.Sum(p.packed))
		c.unique++
		c.free <- p
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.out.Flush()
}
