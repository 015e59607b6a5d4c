package image

import (
	"errors"
	"fmt"
)

// ErrMismatch says that bytes are not those that the index names: they were
// damaged or replaced on their way, and fetching them again may help.
var ErrMismatch = errors.New("does not match the index")

// ErrFrame says that bytes that the index names are not a packed chunk: the
// signer wrote a bad pack, and fetching them again does not help.
var ErrFrame = errors.New("is not a packed chunk")

// Unpacker turns packed chunks back. It is for one goroutine.
type Unpacker struct{ frames *FrameDecoder }

// NewUnpacker makes an Unpacker, which takes at most 8 MiB.
func NewUnpacker() (*Unpacker, error) {
	frames, err := NewFrameDecoder()
	if err != nil {
		return nil, err
	}
	return &Unpacker{frames}, nil
}

// Close frees the decoder.
func (u *Unpacker) Close() { u.frames.Close() }

// Unpack appends the chunk of row to dst, which should have room for it.
// Nothing is decoded before the hash of the packed bytes holds. Errors are
// ErrMismatch or ErrFrame.
func (u *Unpacker) Unpack(dst []byte, row *Row, packed []byte) ([]byte, error) {
	if len(packed) != int(row.PackedLength) || Sum(packed) != row.PackedSHA256 {
		return dst, fmt.Errorf("packed chunk at %d: %w", row.PackOffset, ErrMismatch)
	}
	start := len(dst)
	dst, err := u.decode(dst, row, packed)
	if err != nil {
		return dst[:start], fmt.Errorf("packed chunk at %d: %w: %w", row.PackOffset, ErrFrame, err)
	}
	if Sum(dst[start:]) != row.SHA256 {
		return dst[:start], fmt.Errorf("packed chunk at %d: %w: it unpacks to other bytes than were hashed", row.PackOffset, ErrFrame)
	}
	return dst, nil
}

func (u *Unpacker) decode(dst []byte, row *Row, packed []byte) ([]byte, error) {
	if row.PackedLength == row.Length {
		return append(dst, packed...), nil
	}
	return u.frames.Decode(dst, packed, int(row.Length), nil)
}
