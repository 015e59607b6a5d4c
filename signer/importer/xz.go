package importer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// maxDictionary bounds the memory that an xz block may ask for. update_engine
// needs no more than an operation holds, usually 2 MiB; xz -9 asks for 64 MiB.
const maxDictionary = 64 << 20

// The container of xz, version 1.0.4 of its specification.
const (
	xzMagic      = "\xfd7zXZ\x00"
	xzHeader     = 12
	filterLZMA2  = 0x21
	maxXZHeader  = 1024
	maxDictField = 40
)

// checkSizes gives the length of a block's check by its type.
var checkSizes = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// xzReader decodes the blocks of one xz stream. It reads the container itself,
// since the library would allocate any dictionary that a block asks for. The
// checks and the index of the container are passed over: the data's sha256 was
// verified before, and the partition's is afterwards.
type xzReader struct {
	in    *countingReader
	check int64
	block io.Reader // nil between blocks
	begin int64
	done  bool
	err   error
}

func newXZ(r io.Reader) *xzReader {
	x := &xzReader{in: &countingReader{r: bufio.NewReaderSize(r, 64<<10)}}
	var h [xzHeader]byte
	_, err := io.ReadFull(x.in, h[:])
	switch {
	case err != nil:
		x.err = fmt.Errorf("xz header: %w", io.ErrUnexpectedEOF)
	case string(h[:6]) != xzMagic || h[6] != 0 || h[7]&0xf0 != 0:
		x.err = errors.New("xz header: no xz stream")
	}
	x.check = checkSizes[h[7]&0x0f]
	return x
}

// Read gives the decoded bytes; io.EOF comes after the last block.
func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil && !x.done {
		if x.block == nil {
			x.err = x.next()
			continue
		}
		n, err := x.block.Read(p)
		if errors.Is(err, io.EOF) {
			x.err, x.block = x.finish(), nil
		} else if err != nil {
			x.err = fmt.Errorf("xz: %w", err)
		}
		if n > 0 {
			return n, nil
		}
	}
	if x.err != nil {
		return 0, x.err
	}
	return 0, io.EOF
}

// next reads the header of a block, or the beginning of the index.
func (x *xzReader) next() error {
	size, err := x.in.ReadByte()
	if err != nil {
		return fmt.Errorf("xz block: %w", io.ErrUnexpectedEOF)
	}
	if size == 0 {
		x.done = true
		return nil
	}
	var buf [maxXZHeader]byte
	header := buf[:(int(size)+1)*4-1]
	if _, err := io.ReadFull(x.in, header); err != nil {
		return fmt.Errorf("xz block: %w", io.ErrUnexpectedEOF)
	}
	dictionary, err := lzma2Dictionary(header)
	if err != nil {
		return fmt.Errorf("xz block: %w", err)
	}
	x.begin = x.in.n
	x.block, err = lzma.Reader2Config{DictCap: dictionary}.NewReader2(x.in)
	return err
}

// finish passes over padding and check of a block.
func (x *xzReader) finish() error {
	skip := (4-(x.in.n-x.begin)%4)%4 + x.check
	if _, err := io.CopyN(io.Discard, x.in, skip); err != nil {
		return fmt.Errorf("xz block: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// lzma2Dictionary reads a block's header: two optional sizes, and LZMA2 as the
// only filter.
func lzma2Dictionary(h []byte) (int, error) {
	flags, at := h[0], 1
	if flags&0x3f != 0 {
		return 0, errors.New("it has filters besides LZMA2, or flags that are not known")
	}
	for _, present := range []byte{0x40, 0x80} {
		if flags&present == 0 {
			continue
		}
		_, n := binary.Uvarint(h[at:])
		if n <= 0 {
			return 0, errors.New("its header is damaged")
		}
		at += n
	}
	if len(h)-at < 3 || h[at] != filterLZMA2 || h[at+1] != 1 || h[at+2] > maxDictField {
		return 0, errors.New("its filter is not LZMA2")
	}
	size, err := lzma.DecodeDictCap(h[at+2])
	if err != nil {
		return 0, err
	}
	if size > maxDictionary {
		return 0, fmt.Errorf("it asks for a dictionary of %d bytes; at most %d are given", size, maxDictionary)
	}
	return max(int(size), lzma.MinDictCap), nil
}

// countingReader knows how many bytes were taken.
type countingReader struct {
	r *bufio.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}
