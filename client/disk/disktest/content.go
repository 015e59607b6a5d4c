package disktest

import (
	"encoding/binary"
	"io"
	"math/bits"
	"slices"
)

const sectorBytes = 512

// sector is what a medium writes whole or not at all. It never changes.
type sector struct {
	data [sectorBytes]byte
	sum  uint64
}

var zeroes sector

// newSector makes the sector that data, shorter or as long, begins; nil is one
// of zeros.
func newSector(data []byte) *sector {
	s := new(sector)
	copy(s.data[:], data)
	if s.data == zeroes.data {
		return nil
	}
	s.sum = sum(s.data[:])
	return s
}

// sum tells bytes apart, in the same way in every process.
func sum(b []byte) uint64 {
	h := uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64((h^binary.LittleEndian.Uint64(b))*0x9e3779b97f4a7c15, 29)
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return mix(h)
}

// content is the bytes of a file. Copies share their sectors until one of them
// is written to.
type content struct {
	size    int64
	sectors []*sector // nil, or past the end: zeros
	sum     uint64    // of sectors, by place
	shared  bool
}

// share gives a second content that may be changed by itself.
func (c *content) share() content {
	c.shared = true
	return *c
}

func (c *content) at(i int) *sector {
	if i < len(c.sectors) {
		return c.sectors[i]
	}
	return nil
}

func weight(i int, s *sector) uint64 {
	if s == nil {
		return 0
	}
	return s.sum * (2*uint64(i) + 1)
}

func (c *content) set(i int, s *sector) {
	old := c.at(i)
	if old == s {
		return
	}
	if c.shared {
		c.sectors, c.shared = slices.Clone(c.sectors), false
	}
	for len(c.sectors) <= i {
		c.sectors = append(c.sectors, nil)
	}
	c.sum += weight(i, s) - weight(i, old)
	c.sectors[i] = s
}

func (c *content) truncate() { *c = content{} }

// fingerprint tells contents apart.
func (c *content) fingerprint() uint64 { return mix(c.sum ^ mix(uint64(c.size))) }

// mix spreads the bits of a number (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// change is one write, or the emptying of a file, that a Sync has yet to cover.
type change struct {
	empties bool
	size    int64 // of the file afterwards, as far as this change tells
	first   int   // sector
	sectors []*sector
}

// writing is the change that a write to c is. The sectors at its ends keep what
// they held: that is how a cache writes them.
func (c *content) writing(b []byte, at int64) change {
	ch := change{size: max(c.size, at+int64(len(b))), first: int(at / sectorBytes)}
	for i := ch.first; len(b) > 0; i++ {
		from := int(at - int64(i)*sectorBytes)
		n := min(sectorBytes-from, len(b))
		var next *sector
		if n == sectorBytes {
			next = newSector(b[:n])
		} else {
			var whole [sectorBytes]byte
			if old := c.at(i); old != nil {
				whole = old.data
			}
			copy(whole[from:], b[:n])
			next = newSector(whole[:])
		}
		if old := c.at(i); old != nil && next != nil && old.data == next.data {
			next = old
		}
		ch.sectors = append(ch.sectors, next)
		b, at = b[n:], at+int64(n)
	}
	return ch
}

// apply makes a change, of which kept says what is kept; nil: all.
func (c *content) apply(ch *change, kept func(sector int) bool) {
	if ch.empties {
		c.truncate()
		c.size = ch.size
		return
	}
	for i, s := range ch.sectors {
		if kept == nil || kept(i) {
			c.set(ch.first+i, s)
		}
	}
	if kept == nil {
		c.size = max(c.size, ch.size)
	}
}

// cut drops what lies beyond the size: a file that grew, but whose size did not.
func (c *content) cut() {
	last := int((c.size + sectorBytes - 1) / sectorBytes)
	for i := last; i < len(c.sectors); i++ {
		c.set(i, nil)
	}
	if tail := int(c.size % sectorBytes); tail > 0 {
		if s := c.at(last - 1); s != nil {
			c.set(last-1, newSector(s.data[:tail]))
		}
	}
}

func (c *content) read(b []byte, at int64) (int, error) {
	if at >= c.size {
		return 0, io.EOF
	}
	want := len(b)
	b = b[:min(int64(len(b)), c.size-at)]
	for n := 0; n < len(b); {
		i, from := int((at+int64(n))/sectorBytes), int((at+int64(n))%sectorBytes)
		s := c.at(i)
		if s == nil {
			s = &zeroes
		}
		n += copy(b[n:], s.data[from:])
	}
	if len(b) < want {
		return len(b), io.EOF
	}
	return len(b), nil
}
