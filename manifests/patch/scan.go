package patch

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/candor-ota/candor/manifests/image"
)

// spanBytes is how much of an image one goroutine cuts at a time. Chunks end
// where spans end; that costs a match in a thousand.
const spanBytes = 32 << 20

// matchChunks are the chunks by which stretches are found that did not change.
var matchChunks = image.Params{Min: 4 << 10, Avg: 16 << 10, Max: 64 << 10}

// chunk is a piece of an image that its content has cut.
type chunk struct {
	offset int64
	length int32
	zeros  bool
	key    [16]byte // of its SHA-256
}

// oldImage is what is known of the old image.
type oldImage struct {
	chunks []chunk            // as they stand
	first  map[[16]byte]int32 // chunk to its first occurrence
	points *points
}

func (b *builder) readOld(ctx context.Context) (*oldImage, error) {
	old := &oldImage{first: map[[16]byte]int32{}, points: newPoints(b.OldSize)}
	err := inOrder(ctx, b.Workers, spans(b.OldSize), func(_, span int) ([]chunk, error) {
		var r roller
		return cut(ctx, b.Old, b.OldSize, span, func(c *chunk, content []byte) {
			r.roll(content, old.points.rare, func(hash uint64, end int) { old.points.add(hash, c.offset+int64(end)) })
		})
	}, func(_ int, chunks []chunk) error {
		for _, c := range chunks {
			if _, again := old.first[c.key]; !again {
				old.first[c.key] = int32(len(old.chunks))
			}
			old.chunks = append(old.chunks, c)
			b.advance(int64(c.length))
		}
		return nil
	})
	return old, err
}

func spans(size int64) int { return int((size + spanBytes - 1) / spanBytes) }

// cut gives the chunks of one span of an image, and shows each to look.
func cut(ctx context.Context, r io.ReaderAt, size int64, span int, look func(*chunk, []byte)) ([]chunk, error) {
	at := int64(span) * spanBytes
	cutter := image.NewChunker(io.NewSectionReader(r, at, min(spanBytes, size-at)), matchChunks)
	end := min(at+spanBytes, size)
	var out []chunk
	for {
		content, err := cutter.Next()
		if errors.Is(err, io.EOF) {
			if at < end {
				return nil, io.ErrUnexpectedEOF
			}
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		sum := sha256.Sum256(content)
		c := chunk{offset: at, length: int32(len(content)), zeros: allZero(content), key: [16]byte(sum[:])}
		look(&c, content)
		out = append(out, c)
		at += int64(len(content))
	}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// piece is a stretch of the new image: zeros, or a copy, or data that the old
// image does not have.
type piece struct {
	kind   Kind // Copy, Zeros, or Plain for data
	from   int64
	length int64
}

// readNew says where the old image has the bytes of the new one.
func (b *builder) readNew(ctx context.Context, old *oldImage) ([]piece, error) {
	var pieces []piece
	next := int32(-1) // the old chunk that would continue the copy before
	err := inOrder(ctx, b.Workers, spans(b.NewSize), func(_, span int) ([]chunk, error) {
		return cut(ctx, b.New, b.NewSize, span, func(*chunk, []byte) {})
	}, func(_ int, chunks []chunk) error {
		for _, c := range chunks {
			var p piece
			if p, next = old.match(c, next); len(pieces) > 0 && pieces[len(pieces)-1].continues(p) {
				pieces[len(pieces)-1].length += p.length
			} else {
				pieces = append(pieces, p)
			}
			b.advance(int64(c.length))
		}
		return nil
	})
	return pieces, err
}

// match finds a chunk of the new image in the old one: at best as the old chunk
// next, which continues what was copied before.
func (old *oldImage) match(c chunk, next int32) (piece, int32) {
	p := piece{kind: Plain, length: int64(c.length)}
	if c.zeros {
		p.kind = Zeros
		return p, -1
	}
	if next < 0 || int(next) >= len(old.chunks) || old.chunks[next].key != c.key {
		i, ok := old.first[c.key]
		if !ok {
			return p, -1
		}
		next = i
	}
	p.kind, p.from = Copy, old.chunks[next].offset
	return p, next + 1
}

func (p piece) continues(q piece) bool {
	return p.kind == q.kind && (p.kind != Copy || p.from+p.length == q.from)
}
