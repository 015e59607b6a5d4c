package patch

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// encoderWindow is how far a segment's encoder looks back: over the whole of
// the segment and of the window in front of it. The frame declares no more than
// its content, since a decoder has the window as a dictionary anyway.
const encoderWindow = 4 << 20

// packer makes the frames of segments. It is for one goroutine and takes about
// 150 MiB: the library keeps the tables of the best level twice, since giving it
// another window also prepares its stream form, which is not used here.
type packer struct{ alone, onWindow *zstd.Encoder }

// Of the encoder's levels, the best one is worth its time where there is a
// window.
func newPacker() (*packer, error) {
	alone, err := newEncoder(zstd.SpeedBetterCompression, MaxRowBytes)
	if err != nil {
		return nil, err
	}
	onWindow, err := newEncoder(zstd.SpeedBestCompression, encoderWindow)
	if err != nil {
		return nil, errors.Join(err, alone.Close())
	}
	return &packer{alone, onWindow}, nil
}

func newEncoder(level zstd.EncoderLevel, window int) (*zstd.Encoder, error) {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(level),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(window),
		zstd.WithSingleSegment(true), // the content size is declared, the window is the segment
		zstd.WithEncoderCRC(false),   // the table has hashes
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	return encoder, nil
}

func (p *packer) close() error { return errors.Join(p.alone.Close(), p.onWindow.Close()) }

// plain appends segment to dst as one frame by itself, or as it is where that
// is no longer.
func (p *packer) plain(dst, segment []byte) []byte {
	start := len(dst)
	dst = p.alone.EncodeAll(segment, dst)
	if len(dst)-start >= len(segment) {
		dst = append(dst[:start], segment...)
	}
	return dst
}

// patched appends segment to dst as one frame that refers to window.
func (p *packer) patched(dst, segment, window []byte) ([]byte, error) {
	if err := p.onWindow.ResetWithOptions(nil, zstd.WithEncoderDictRaw(0, window)); err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	return p.onWindow.EncodeAll(segment, dst), nil
}
