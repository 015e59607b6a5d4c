package install

import (
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/disk"
)

// piece is one stretch of the image.
type piece struct {
	offset int64  // in the image
	length int    // bytes
	at     int64  // in the blob: where its packed bytes stand
	packed int    // bytes that it takes from the blob; 0 for none
	origin origin // where its bytes come from
	repeat int64  // offset of the same bytes in the image, if they were written already
}

type origin uint8

const (
	made     origin = iota // by a maker
	repeated               // read back from where they were written
	inPlace                // they stand where they belong; a maker proves it, nothing is written
)

// recipe says what an image is made of. Pieces are in image order, without
// gaps. It is not changed while it is used.
type recipe interface {
	pieces() int
	piece(i int) piece
	// holds tells whether b is what piece i must be.
	holds(i int, b []byte) bool
	// blob is the file from which packed bytes come.
	blob() blob
	// maker makes pieces from seeds and packed bytes, for one goroutine.
	maker(seeds) (maker, error)
}

// seeds are where bytes may be copied from; nil where there is none.
type seeds [2]disk.File

const (
	ofOld    = iota // the image that runs
	ofTarget        // the slot that is written: what is left there
)

// maker makes the bytes of a piece from its packed bytes and from seeds.
type maker interface {
	// make fills dst, which has the piece's length, and proves it.
	make(dst []byte, i int, packed []byte) error
	Close()
}

// blob is a published file with packed bytes.
type blob struct {
	name string // for people
	path string
	size int64 // bytes
}

// seedError says that a seed does not have what it should have.
type seedError struct {
	piece int
	err   error
}

func (e *seedError) Error() string { return fmt.Sprintf("seed of piece %d: %v", e.piece, e.err) }
func (e *seedError) Unwrap() error { return e.err }

// pieceAt is the first piece that does not end before offset; pieces() if all do.
func pieceAt(r recipe, offset int64) int {
	low, high := 0, r.pieces()
	for low < high {
		middle := int(uint(low+high) >> 1)
		if p := r.piece(middle); p.offset+int64(p.length) <= offset {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// spansFrom lists what is needed of the blob from a piece on, in order.
func spansFrom(r recipe, first int) []Span {
	var out []Span
	for i := first; i < r.pieces(); i++ {
		p := r.piece(i)
		if p.packed == 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].To == p.at {
			out[n-1].To += int64(p.packed)
			continue
		}
		out = append(out, Span{p.at, p.at + int64(p.packed)})
	}
	return out
}

// found looks how many pieces from the first on stand in the slot already: an
// attempt that was killed wrote them and could not say so. It looks no further
// than such an attempt can have come.
func found(r recipe, slot disk.File, first int, most int64, buffer []byte) int {
	if slot == nil || first == r.pieces() {
		return first
	}
	end := r.piece(first).offset + most
	for i := first; i < r.pieces(); i++ {
		p := r.piece(i)
		if p.offset >= end {
			return i
		}
		b := buffer[:p.length]
		if readAll(slot, b, p.offset) != nil || !r.holds(i, b) {
			return i
		}
	}
	return r.pieces()
}

// readAll fills b; an io.ReaderAt may report the end with the last bytes.
func readAll(f disk.File, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := f.ReadAt(b, at)
		if n == len(b) {
			return nil
		}
		if n <= 0 || err != nil {
			if err == nil {
				err = io.ErrNoProgress
			}
			return fmt.Errorf("%d bytes at %d are missing: %w", len(b)-max(n, 0), at+int64(max(n, 0)), short(err))
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}
