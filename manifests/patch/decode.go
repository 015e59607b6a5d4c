package patch

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests/image"
)

// What is wrong with a row that cannot be made.
var (
	// ErrMismatch says that packed bytes are not those that the table names:
	// they were damaged or replaced on their way, and fetching them again may
	// help.
	ErrMismatch = errors.New("does not match the patch table")
	// ErrBase says that the old image is not the one that the patch was made
	// from, at least not here: these bytes must come from elsewhere.
	ErrBase = errors.New("the old image has other bytes than the patch was made from")
	// ErrFrame says that bytes that the table names are no segment: the signer
	// wrote a bad patch, and fetching them again does not help.
	ErrFrame = errors.New("is not a packed segment")
)

// Decoder makes the bytes of rows. It is for one goroutine.
type Decoder struct{ frames *image.FrameDecoder }

// NewDecoder makes a Decoder, which takes at most 8 MiB.
func NewDecoder() (*Decoder, error) {
	frames, err := image.NewFrameDecoder()
	if err != nil {
		return nil, err
	}
	return &Decoder{frames}, nil
}

// Close frees the decoder.
func (d *Decoder) Close() { d.frames.Close() }

// Decode appends the bytes of row to dst, which should have room for them. old
// is the row.Needs() bytes of the old image at row.From; packed the
// row.PackedLength bytes of the body at row.BodyOffset. Nothing is decoded
// before the hash of packed holds, and dst grows only by bytes whose hash holds.
// Errors are ErrMismatch, ErrBase or ErrFrame.
func (d *Decoder) Decode(dst []byte, row *Row, old, packed []byte) ([]byte, error) {
	start := len(dst)
	if len(old) != row.Needs() {
		return dst, fmt.Errorf("row at %d: %w: %d bytes given, %d needed", row.Offset, ErrBase, len(old), row.Needs())
	}
	if len(packed) != int(row.PackedLength) || (row.PackedLength > 0 && image.Sum(packed) != row.PackedSHA256) {
		return dst, fmt.Errorf("segment at %d of the body: %w", row.BodyOffset, ErrMismatch)
	}
	out, err := d.decode(dst, row, old, packed)
	if err != nil {
		return dst[:start], fmt.Errorf("segment at %d of the body: %w: %w", row.BodyOffset, ErrFrame, err)
	}
	if row.Kind == Zeros || sha256.Sum256(out[start:]) == row.SHA256 {
		return out, nil
	}
	if row.Kind == Plain {
		return dst[:start], fmt.Errorf("segment at %d of the body: %w: it unpacks to other bytes than were hashed", row.BodyOffset, ErrFrame)
	}
	return dst[:start], fmt.Errorf("row at %d: %w", row.Offset, ErrBase)
}

func (d *Decoder) decode(dst []byte, row *Row, old, packed []byte) ([]byte, error) {
	switch {
	case row.Kind == Copy:
		return append(dst, old...), nil
	case row.Kind == Zeros:
		start, end := len(dst), len(dst)+int(row.Length)
		if cap(dst) < end {
			dst = append(make([]byte, 0, end), dst...)
		}
		clear(dst[start:end])
		return dst[:end], nil
	case row.Kind == Plain && row.PackedLength == row.Length:
		return append(dst, packed...), nil
	}
	return d.frames.Decode(dst, packed, int(row.Length), old)
}
