package patch

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// encoderWindow is how far a segment's encoder looks back: over the whole of
// the segment and of the window in front of it. The frame declares no more than
// its content, since a decoder has the window as a dictionary anyway.
const encoderWindow = 4 << 20

// packer makes the frames of segments. It is for one goroutine; its tables take
// about 70 MiB.
type packer struct{ encoder *zstd.Encoder }

func newPacker() (*packer, error) {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(encoderWindow),
		zstd.WithSingleSegment(true), // the content size is declared, the window is the segment
		zstd.WithEncoderCRC(false),   // the table has hashes
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	return &packer{encoder}, nil
}

func (p *packer) close() error { return p.encoder.Close() }

// plain gives segment as one frame by itself, or as it is where that is no
// longer.
func (p *packer) plain(segment []byte) ([]byte, error) {
	if err := p.encoder.ResetWithOptions(nil, zstd.WithEncoderDictDelete()); err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	frame := p.encoder.EncodeAll(segment, nil)
	if len(frame) >= len(segment) {
		return segment, nil
	}
	return frame, nil
}

// patched gives segment as one frame that refers to window.
func (p *packer) patched(segment, window []byte) ([]byte, error) {
	if err := p.encoder.ResetWithOptions(nil, zstd.WithEncoderDictRaw(0, window)); err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	return p.encoder.EncodeAll(segment, nil), nil
}
