package bundle

import (
	"context"
	"hash"
	"io"
)

// meter counts and hashes what is written.
type meter struct {
	io.Writer
	sum hash.Hash
	n   int64
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Writer.Write(p)
	m.n += int64(n)
	m.sum.Write(p[:n])
	return n, err
}

// reporting tells how much was read, and ends with its context.
type reporting struct {
	ctx    context.Context
	r      io.Reader
	report func(int64)
}

func (r *reporting) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.r.Read(p)
	r.report(int64(n))
	return n, err
}
