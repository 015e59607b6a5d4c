package install

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
)

// chunks is the recipe of an index: packed chunks, and copies of seeds. Without
// seeds it is the full image.
type chunks struct {
	image manifests.Image
	index *image.Index
	from  []int64 // by row: fromPack, or an offset in a seed, as place makes it
}

const fromPack = -1

func place(seed int, offset int64) int64 { return offset<<1 | int64(seed) }

func newChunks(m manifests.Image, x *image.Index) *chunks {
	c := &chunks{image: m, index: x, from: make([]int64, len(x.Rows))}
	for i := range c.from {
		c.from[i] = fromPack
	}
	return c
}

func (c *chunks) pieces() int { return len(c.index.Rows) }

func (c *chunks) piece(i int) piece {
	row := &c.index.Rows[i]
	p := piece{offset: row.Offset, length: int(row.Length)}
	switch {
	case !c.index.Unique(i):
		p.origin, p.repeat = repeated, c.index.Rows[row.First].Offset
	case c.from[i] == fromPack:
		p.at, p.packed = row.PackOffset, int(row.PackedLength)
	case c.from[i] == place(ofTarget, row.Offset):
		p.origin = inPlace
	}
	return p
}

func (c *chunks) holds(i int, b []byte) bool { return image.Sum(b) == c.index.Rows[i].SHA256 }

func (c *chunks) blob() blob {
	return blob{"pack of slot " + string(c.image.Slot), layout.BlobFile(c.image.Pack.SHA256), c.index.PackSize}
}

// use finds rows, from the first on, among the chunks of a seed. What the target
// slot has is read now, since most of it may be overwritten; it counts only
// where the row is written before it, or in its place (AMENDMENTS M3).
func (c *chunks) use(all seeds, seed int, has *image.Index, first int) {
	if all[seed] == nil {
		return
	}
	missing := c.missing(first)
	buffer := make([]byte, image.MaxChunkBytes)
	for i := range has.Rows {
		have := &has.Rows[i]
		if seed == ofOld && !has.Unique(i) {
			continue
		}
		at, ok := slices.BinarySearchFunc(missing, have.SHA256, func(row int32, sum [image.SumBytes]byte) int {
			return bytes.Compare(c.index.Rows[row].SHA256[:], sum[:])
		})
		if !ok || c.from[missing[at]] != fromPack {
			continue
		}
		row := &c.index.Rows[missing[at]]
		if row.Length != have.Length || (seed == ofTarget && have.Offset < row.Offset) {
			continue
		}
		if seed == ofTarget && readChunk(all[seed], buffer[:row.Length], have.Offset, row) != nil {
			continue
		}
		c.from[missing[at]] = place(seed, have.Offset)
	}
}

// missing lists the rows that only the pack has so far, in order of their hashes.
func (c *chunks) missing(first int) []int32 {
	var out []int32
	for i := first; i < len(c.from); i++ {
		if c.index.Unique(i) && c.from[i] == fromPack {
			out = append(out, int32(i))
		}
	}
	slices.SortFunc(out, func(a, b int32) int {
		return bytes.Compare(c.index.Rows[a].SHA256[:], c.index.Rows[b].SHA256[:])
	})
	return out
}

// coalesce takes from the pack what stands between two parts of it that are
// better fetched together.
func (c *chunks) coalesce(first int) {
	i := first
	for _, s := range Coalesce(spansFrom(c, first)) {
		for ; i < len(c.from); i++ {
			row := &c.index.Rows[i]
			if c.index.Unique(i) && row.PackOffset >= s.To {
				break
			}
			if c.index.Unique(i) && row.PackOffset >= s.From {
				c.from[i] = fromPack
			}
		}
	}
}

// seeded tells whether any row from the first on comes from a seed.
func (c *chunks) seeded(first int) bool {
	return slices.ContainsFunc(c.from[first:], func(from int64) bool { return from != fromPack })
}

// distrust takes from the pack every row, from one on, that its seed does not
// have after all. Nil seeds have nothing.
func (c *chunks) distrust(all seeds, first int) {
	buffer := make([]byte, image.MaxChunkBytes)
	c.from[first] = fromPack
	for i := first + 1; i < len(c.from); i++ {
		if c.from[i] == fromPack {
			continue
		}
		row := &c.index.Rows[i]
		if readChunk(all[c.from[i]&1], buffer[:row.Length], c.from[i]>>1, row) != nil {
			c.from[i] = fromPack
		}
	}
}

var errSeed = errors.New("it holds other bytes than it did")

// readChunk reads a chunk from a seed and proves it.
func readChunk(f disk.File, dst []byte, offset int64, row *image.Row) error {
	if f == nil {
		return errSeed
	}
	if err := readAll(f, dst, offset); err != nil {
		return err
	}
	if image.Sum(dst) != row.SHA256 {
		return fmt.Errorf("%d bytes at %d: %w", len(dst), offset, errSeed)
	}
	return nil
}

type chunkMaker struct {
	*chunks
	seeds    seeds
	unpacker *image.Unpacker
}

func (c *chunks) maker(s seeds) (maker, error) {
	u, err := image.NewUnpacker()
	if err != nil {
		return nil, err
	}
	return &chunkMaker{c, s, u}, nil
}

func (m *chunkMaker) Close() { m.unpacker.Close() }

func (m *chunkMaker) make(dst []byte, i int, packed []byte) error {
	row := &m.index.Rows[i]
	if from := m.from[i]; from != fromPack {
		if err := readChunk(m.seeds[from&1], dst, from>>1, row); err != nil {
			return &seedError{i, err}
		}
		return nil
	}
	_, err := m.unpacker.Unpack(dst[:0:len(dst)], row, packed)
	return err
}
