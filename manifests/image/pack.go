package image

import (
	"crypto/sha256"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Packer turns chunks into what the pack holds. It is safe for concurrent use
// by as many goroutines as it was made for, and takes about 34 MiB for each.
type Packer struct{ encoder *zstd.Encoder }

// NewPacker makes a Packer for concurrent goroutines.
//
// The encoder's best level gives packs that are 4 % smaller than the one below,
// which every handset saves, for six times the work and 34 MiB instead of 5 for
// each goroutine, which one machine pays once (520 MiB root filesystem).
func NewPacker(concurrent int) (*Packer, error) {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithEncoderConcurrency(concurrent),
		zstd.WithWindowSize(MaxChunkBytes),
		zstd.WithSingleSegment(true), // the content size is declared, the window is the chunk
		zstd.WithEncoderCRC(false),   // the index has hashes
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	return &Packer{encoder}, nil
}

// Pack appends the packed form of chunk to dst: one zstd frame, or the chunk
// itself where the frame is not smaller.
func (p *Packer) Pack(dst, chunk []byte) []byte {
	start := len(dst)
	dst = p.encoder.EncodeAll(chunk, dst)
	if len(dst)-start >= len(chunk) {
		dst = append(dst[:start], chunk...)
	}
	return dst
}

// Close frees the encoder.
func (p *Packer) Close() error { return p.encoder.Close() }

// Sum is what the index keeps of the SHA-256 of a chunk, plain or packed.
func Sum(chunk []byte) [SumBytes]byte {
	sum := sha256.Sum256(chunk)
	return [SumBytes]byte(sum[:])
}
