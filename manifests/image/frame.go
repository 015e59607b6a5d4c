package image

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

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
