package image

import (
	"errors"
	"fmt"
	"io"
)

// Chunker cuts a stream into chunks where its content says, with FastCDC: Xia
// et al., "The Design of Fast Content-Defined Chunking for Data Deduplication
// Based Storage Systems", IEEE TPDS 2020. It holds one buffer of 1 MiB.
type Chunker struct {
	source      io.Reader
	params      Params
	early, late uint
	buffer      []byte
	start, end  int // the bytes read and not yet handed out
	err         error
}

const chunkerBuffer = 1 << 20

// NewChunker cuts what source gives with the chunk sizes p.
func NewChunker(source io.Reader, p Params) *Chunker {
	early, late := p.masks()
	return &Chunker{source: source, params: p, early: early, late: late, buffer: make([]byte, chunkerBuffer)}
}

// Next gives the next chunk; it is valid until the call after. The end is
// io.EOF; any other error is the source's.
func (c *Chunker) Next() ([]byte, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	if c.start == c.end {
		return nil, io.EOF
	}
	n := c.cut(c.buffer[c.start:c.end])
	chunk := c.buffer[c.start : c.start+n]
	c.start += n
	return chunk, nil
}

// fill makes sure that a whole chunk is in the buffer, or all that is left.
func (c *Chunker) fill() error {
	if c.end-c.start >= c.params.Max {
		return nil
	}
	copy(c.buffer, c.buffer[c.start:c.end])
	c.start, c.end = 0, c.end-c.start
	for empty := 0; c.err == nil && c.end < len(c.buffer); {
		n, err := c.source.Read(c.buffer[c.end:])
		c.end += n
		c.err = err
		if n == 0 && err == nil {
			if empty++; empty == 100 {
				c.err = io.ErrNoProgress
			}
		}
	}
	if c.err != nil && !errors.Is(c.err, io.EOF) {
		return fmt.Errorf("read image: %w", c.err)
	}
	return nil
}

// cut gives the length of the chunk at the beginning of b.
func (c *Chunker) cut(b []byte) int {
	if len(b) <= c.params.Min {
		return len(b)
	}
	b = b[:min(len(b), c.params.Max)]
	middle := min(len(b), c.params.Avg)
	var print uint64
	for i := c.params.Min; i < middle; i++ {
		print = print<<1 + gear[b[i]]
		if print>>c.early == 0 {
			return i + 1
		}
	}
	for i := middle; i < len(b); i++ {
		print = print<<1 + gear[b[i]]
		if print>>c.late == 0 {
			return i + 1
		}
	}
	return len(b)
}
