package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/candor-ota/candor/manifests"
	format "github.com/candor-ota/candor/manifests/image"
)

// The sparse format, version 1.0, as libsparse writes it; all numbers are
// little-endian.
const (
	sparseMagic       = 0xED26FF3A
	sparseHeaderBytes = 28
	chunkHeaderBytes  = 12
	chunkRaw          = 0xCAC1
	chunkFill         = 0xCAC2
	chunkDontCare     = 0xCAC3
	chunkCRC32        = 0xCAC4
	minSparseBlock    = 512
	maxSparseBlock    = 1 << 20
	bufferBytes       = 128 << 10
)

// sparse is a sparse image whose tables hold.
type sparse struct {
	r        io.ReaderAt
	fileSize int64
	block    int64 // bytes
	blocks   int64
	chunks   uint32
	checksum uint32 // of the raw image, 0: none
}

// sparseChunk is one chunk. length is that of its body in the file.
type sparseChunk struct {
	kind         uint16
	blocks       int64
	body, length int64
}

// readSparse checks header and all chunk headers.
func readSparse(r io.ReaderAt, size int64) (*sparse, error) {
	var h [sparseHeaderBytes]byte
	if err := readAt(r, h[:], 0, size); err != nil {
		return nil, fmt.Errorf("sparse header: %w", err)
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	s := &sparse{
		r: r, fileSize: size,
		block: int64(u32(h[12:])), blocks: int64(u32(h[16:])), chunks: u32(h[20:]), checksum: u32(h[24:]),
	}
	switch {
	case u32(h[:]) != sparseMagic:
		return nil, errors.New("sparse header: no sparse image")
	case u16(h[4:]) != 1 || u16(h[6:]) != 0:
		return nil, fmt.Errorf("sparse header: version %d.%d; this program reads 1.0", u16(h[4:]), u16(h[6:]))
	case u16(h[8:]) != sparseHeaderBytes || u16(h[10:]) != chunkHeaderBytes:
		return nil, fmt.Errorf("sparse header: headers of %d and %d bytes; version 1.0 has %d and %d", u16(h[8:]), u16(h[10:]), sparseHeaderBytes, chunkHeaderBytes)
	case s.block < minSparseBlock || s.block > maxSparseBlock || s.block%4 != 0:
		return nil, fmt.Errorf("sparse header: blocks of %d bytes; a multiple of 4 from %d to %d is allowed", s.block, minSparseBlock, maxSparseBlock)
	case s.blocks == 0:
		return nil, errors.New("sparse header: the image is empty")
	case s.size() > format.MaxImageBytes:
		return nil, fmt.Errorf("sparse header: the image has %d bytes; at most %d fit a release", s.size(), int64(format.MaxImageBytes))
	case int64(s.chunks) > (size-sparseHeaderBytes)/chunkHeaderBytes:
		return nil, fmt.Errorf("sparse header: %d chunks do not fit a file of %d bytes", s.chunks, size)
	}
	return s, s.each(func(sparseChunk) error { return nil })
}

// size is that of the raw image in bytes.
func (s *sparse) size() int64 { return s.block * s.blocks }

// each walks the chunks in order. All that their headers say is checked first.
func (s *sparse) each(do func(sparseChunk) error) error {
	at, blocks := int64(sparseHeaderBytes), int64(0)
	for i := range s.chunks {
		c, err := s.chunkAt(at)
		if err != nil {
			return fmt.Errorf("sparse chunk %d: %w", i, err)
		}
		if blocks += c.blocks; blocks > s.blocks {
			return fmt.Errorf("sparse chunk %d: reaches block %d of an image of %d", i, blocks, s.blocks)
		}
		at = c.body + c.length
		if err := do(c); err != nil {
			return fmt.Errorf("sparse chunk %d: %w", i, err)
		}
	}
	switch {
	case blocks != s.blocks:
		return fmt.Errorf("sparse image: its chunks hold %d blocks, its header says %d", blocks, s.blocks)
	case at != s.fileSize:
		return fmt.Errorf("sparse image: %d bytes follow the last chunk", s.fileSize-at)
	}
	return nil
}

func (s *sparse) chunkAt(at int64) (sparseChunk, error) {
	var h [chunkHeaderBytes]byte
	if err := readAt(s.r, h[:], at, s.fileSize); err != nil {
		return sparseChunk{}, err
	}
	c := sparseChunk{kind: binary.LittleEndian.Uint16(h[:]), blocks: int64(binary.LittleEndian.Uint32(h[4:])), body: at + chunkHeaderBytes}
	switch c.kind {
	case chunkRaw:
		c.length = c.blocks * s.block
	case chunkFill, chunkCRC32:
		c.length = 4
	case chunkDontCare:
	default:
		return c, fmt.Errorf("type %#x is not known", c.kind)
	}
	total := int64(binary.LittleEndian.Uint32(h[8:]))
	switch {
	case (c.blocks == 0) != (c.kind == chunkCRC32):
		return c, fmt.Errorf("type %#x with %d blocks", c.kind, c.blocks)
	case total != chunkHeaderBytes+c.length:
		return c, fmt.Errorf("says that it has %d bytes; %d blocks of type %#x have %d", total, c.blocks, c.kind, chunkHeaderBytes+c.length)
	case c.length > s.fileSize-c.body:
		return c, errors.New("the file ends within it")
	}
	return c, nil
}

// write streams the raw image into an empty file of its size. What nobody
// cares about reads as zero.
func (s *sparse) write(ctx context.Context, out io.WriterAt, progress func(int64)) (manifests.SHA256, error) {
	w := &sparseWriter{ctx: ctx, out: out, sum: sha256.New(), buf: make([]byte, bufferBytes), zero: make([]byte, bufferBytes), progress: progress}
	err := s.each(func(c sparseChunk) error { return w.chunk(s, c) })
	if err == nil && s.checksum != 0 && s.checksum != w.crc {
		err = fmt.Errorf("sparse image: its crc32 is %08x, the header says %08x", w.crc, s.checksum)
	}
	return manifests.SHA256(w.sum.Sum(nil)), err
}

// sparseWriter writes an image from its start to its end.
type sparseWriter struct {
	ctx       context.Context
	out       io.WriterAt
	sum       hash.Hash
	crc       uint32
	at        int64
	buf, zero []byte
	progress  func(int64)
}

func (w *sparseWriter) chunk(s *sparse, c sparseChunk) error {
	n := c.blocks * s.block
	if c.kind == chunkDontCare {
		return w.repeat(w.zero, n)
	}
	if c.kind == chunkRaw {
		return w.copy(io.NewSectionReader(s.r, c.body, c.length))
	}
	var body [4]byte
	if err := readAt(s.r, body[:], c.body, s.fileSize); err != nil {
		return err
	}
	if c.kind == chunkCRC32 {
		if want := binary.LittleEndian.Uint32(body[:]); want != w.crc {
			return fmt.Errorf("the crc32 up to here is %08x, the chunk says %08x", w.crc, want)
		}
		return nil
	}
	if body == [4]byte{} {
		return w.repeat(w.zero, n)
	}
	return w.repeat(bytes.Repeat(body[:], int(min(n, bufferBytes)/4)), n)
}

func (w *sparseWriter) copy(r *io.SectionReader) error {
	for left := r.Size(); left > 0; {
		part := w.buf[:min(left, int64(len(w.buf)))]
		if _, err := io.ReadFull(r, part); err != nil {
			return fmt.Errorf("the file changed while it was read: %w", err)
		}
		if err := w.put(part, false); err != nil {
			return err
		}
		left -= int64(len(part))
	}
	return nil
}

// repeat writes n bytes of a pattern; of zeros it only knows.
func (w *sparseWriter) repeat(pattern []byte, n int64) error {
	hole := &pattern[0] == &w.zero[0]
	for n > 0 {
		part := pattern[:min(n, int64(len(pattern)))]
		if err := w.put(part, hole); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

func (w *sparseWriter) put(p []byte, hole bool) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	if !hole {
		if _, err := w.out.WriteAt(p, w.at); err != nil {
			return err
		}
	}
	w.sum.Write(p)
	w.crc = crc32.Update(w.crc, crc32.IEEETable, p)
	w.at += int64(len(p))
	w.progress(w.at)
	return nil
}

// readAt fills b from an offset of a file of that size.
func readAt(r io.ReaderAt, b []byte, at, size int64) error {
	if at < 0 || int64(len(b)) > size-at {
		return fmt.Errorf("the file ends at %d, within the %d bytes from %d", size, len(b), at)
	}
	if n, err := r.ReadAt(b, at); n < len(b) {
		return err
	}
	return nil
}
