package image

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Limits of a decoder.
const (
	maxWindow        = 2 << 20
	maxDecoderMemory = 8 << 20
)

// FrameDecoder turns single zstd frames back, within the limits of the formats:
// packed chunks here, segments in package patch. It is for one goroutine and
// knows nothing of hashes: what it is given must have been verified.
type FrameDecoder struct{ decoder *zstd.Decoder }

// NewFrameDecoder makes a FrameDecoder, which takes at most 8 MiB.
func NewFrameDecoder() (*FrameDecoder, error) {
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxDecoderMemory), zstd.WithDecoderMaxWindow(maxWindow),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("zstd decoder: %w", err)
	}
	return &FrameDecoder{decoder}, nil
}

// Close frees the decoder.
func (d *FrameDecoder) Close() { d.decoder.Close() }

// Decode appends what frame holds to dst, exactly size bytes. The frame may
// refer to window, a raw dictionary, which is nil where there is none. The
// outline of the frame is checked before anything is decoded.
func (d *FrameDecoder) Decode(dst, frame []byte, size int, window []byte) ([]byte, error) {
	if err := checkFrame(frame, uint64(size)); err != nil {
		return dst, err
	}
	if err := d.decoder.ResetWithOptions(nil, zstd.WithDecoderDictRaw(0, window)); err != nil {
		return dst, fmt.Errorf("zstd decoder: %w", err)
	}
	start, end := len(dst), len(dst)+size
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	// The decoder writes up to the capacity that it sees, and no further.
	out, err := d.decoder.DecodeAll(frame, dst[:start:end])
	if err != nil {
		return dst, err
	}
	if len(out) != end {
		return dst, fmt.Errorf("%d bytes unpacked; the row has %d", len(out)-start, size)
	}
	return dst[:end], nil
}

// checkFrame walks the outline of packed (RFC 8878, section 3.1.1), decoding
// nothing: one frame, no dictionary, content size declared as size, window in
// bounds, and the frame ends where the bytes end.
func checkFrame(packed []byte, size uint64) error {
	var h zstd.Header
	if err := h.Decode(packed); err != nil {
		return fmt.Errorf("frame header: %w", err)
	}
	switch {
	case h.Skippable:
		return errors.New("a skippable frame")
	case h.DictionaryID != 0:
		return fmt.Errorf("it needs dictionary %d", h.DictionaryID)
	case !h.HasFCS:
		return errors.New("the content size is not declared")
	case h.FrameContentSize != size:
		return fmt.Errorf("content size %d; the row has %d", h.FrameContentSize, size)
	case !h.SingleSegment && h.WindowSize > maxWindow:
		return fmt.Errorf("window of %d bytes; at most %d", h.WindowSize, maxWindow)
	}
	return checkBlocks(packed[h.HeaderSize:], h.HasCheckSum)
}

const (
	blockHeaderBytes = 3
	blockRLE         = 1
	checksumBytes    = 4
)

func checkBlocks(b []byte, checksum bool) error {
	for last := false; !last; {
		if len(b) < blockHeaderBytes {
			return errors.New("the frame ends before its last block")
		}
		word := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		last = word&1 != 0
		n := word >> 3
		if word>>1&3 == blockRLE {
			n = 1
		}
		if b = b[blockHeaderBytes:]; len(b) < n {
			return errors.New("a block ends after the frame")
		}
		b = b[n:]
	}
	if checksum {
		if len(b) < checksumBytes {
			return errors.New("the checksum is cut off")
		}
		b = b[checksumBytes:]
	}
	if len(b) != 0 {
		return fmt.Errorf("%d bytes follow the frame", len(b))
	}
	return nil
}
