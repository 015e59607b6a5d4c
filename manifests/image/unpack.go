package image

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// ErrMismatch says that bytes are not those that the index names: they were
// damaged or replaced on their way, and fetching them again may help.
var ErrMismatch = errors.New("does not match the index")

// ErrFrame says that bytes that the index names are not a packed chunk: the
// signer wrote a bad pack, and fetching them again does not help.
var ErrFrame = errors.New("is not a packed chunk")

// Limits of the decoder.
const (
	maxWindow        = 2 << 20
	maxDecoderMemory = 8 << 20
)

// Unpacker turns packed chunks back. It is for one goroutine.
type Unpacker struct{ decoder *zstd.Decoder }

// NewUnpacker makes an Unpacker, which takes at most 8 MiB.
func NewUnpacker() (*Unpacker, error) {
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxDecoderMemory), zstd.WithDecoderMaxWindow(maxWindow),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("zstd decoder: %w", err)
	}
	return &Unpacker{decoder}, nil
}

// Close frees the decoder.
func (u *Unpacker) Close() { u.decoder.Close() }

// Unpack appends the chunk of row to dst, which should have room for it.
// Nothing is decoded before the hash of the packed bytes holds. Errors are
// ErrMismatch or ErrFrame.
func (u *Unpacker) Unpack(dst []byte, row *Row, packed []byte) ([]byte, error) {
	if len(packed) != int(row.PackedLength) || PackedSum(packed) != row.PackedSHA256 {
		return dst, fmt.Errorf("packed chunk at %d: %w", row.PackOffset, ErrMismatch)
	}
	start := len(dst)
	dst, err := u.decode(dst, row, packed)
	if err != nil {
		return dst[:start], fmt.Errorf("packed chunk at %d: %w: %w", row.PackOffset, ErrFrame, err)
	}
	if sha256.Sum256(dst[start:]) != row.SHA256 {
		return dst[:start], fmt.Errorf("packed chunk at %d: %w: it unpacks to other bytes than were hashed", row.PackOffset, ErrFrame)
	}
	return dst, nil
}

func (u *Unpacker) decode(dst []byte, row *Row, packed []byte) ([]byte, error) {
	if row.PackedLength == row.Length {
		return append(dst, packed...), nil
	}
	if err := checkFrame(packed, uint64(row.Length)); err != nil {
		return dst, err
	}
	start, end := len(dst), len(dst)+int(row.Length)
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	// The decoder writes up to the capacity that it sees, and no further.
	out, err := u.decoder.DecodeAll(packed, dst[:start:end])
	if err != nil {
		return dst, err
	}
	if len(out) != end {
		return dst, fmt.Errorf("%d bytes unpacked; the row has %d", len(out)-start, row.Length)
	}
	return dst[:end], nil
}
