package image

import (
	"crypto/sha256"
	"encoding/binary"
)

// Params are the chunk sizes of an image, in bytes. They follow from the size
// of the image alone and are frozen: other numbers would be another format.
type Params struct{ Min, Avg, Max int }

// The two sets of chunk sizes, and the image size at which they change.
var (
	smallChunks = Params{Min: 4 << 10, Avg: 16 << 10, Max: 64 << 10}
	largeChunks = Params{Min: 8 << 10, Avg: 32 << 10, Max: 128 << 10}
)

const largeImage = 1 << 30

// Limits of the format.
const (
	MaxImageBytes = 16 << 30  // of one raw image
	MaxChunkBytes = 128 << 10 // of one chunk, plain or packed
)

// ParamsFor gives the chunk sizes of an image of size bytes: 16 KiB on average
// up to 1 GiB, 32 KiB above. On a security update of a 520 MiB root filesystem
// the small ones leave a seventh less to download than the large ones, with
// their larger index counted (scripts/bench delta).
func ParamsFor(size int64) Params {
	if size > largeImage {
		return largeChunks
	}
	return smallChunks
}

// maxRows is the highest number of chunks that an image of size bytes can have.
func (p Params) maxRows(size int64) int64 { return size/int64(p.Min) + 1 }

// masks gives how far the fingerprint is shifted before it is compared with
// zero: before the average size a cut needs two bits more than log2(Avg), after
// it two bits less (normalised chunking, level 2, of the FastCDC paper of 2020).
func (p Params) masks() (early, late uint) {
	bits := uint(0)
	for 1<<bits < p.Avg {
		bits++
	}
	return 64 - (bits + 2), 64 - (bits - 2)
}

// gear is the table of the rolling fingerprint: gear[i] is the first eight
// bytes, big-endian, of SHA-256("candor-gear-v1" ‖ i).
var gear = makeGear()

func makeGear() (t [256]uint64) {
	for i := range t {
		sum := sha256.Sum256(append([]byte("candor-gear-v1"), byte(i)))
		t[i] = binary.BigEndian.Uint64(sum[:8])
	}
	return t
}
