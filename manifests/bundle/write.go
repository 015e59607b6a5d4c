package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/manifests/strict"
)

// Writer writes a bundle. Members come in the order of the format; within a
// part their order is the caller's, and part of the bytes.
type Writer struct {
	w    io.Writer
	part int
	seen map[string]bool
}

// NewWriter begins a bundle.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	h.Spec = Spec
	text, err := strict.Canonical(&h)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	out := &Writer{w: w, seen: map[string]bool{}}
	return out, out.member(headerName, int64(len(text)), bytes.NewReader(text))
}

// Add streams a member of that size. A reader that gives less or more is an
// error, after which the bundle is worth nothing.
func (w *Writer) Add(name string, size int64, r io.Reader) error {
	p := part(name)
	switch {
	case p == 0:
		return fmt.Errorf("bundle: %.180q is no file of the published tree", name)
	case p < w.part || w.seen[name]:
		return fmt.Errorf("bundle: %s is out of order, or there twice", name)
	case size <= 0 || size > limit(name):
		return fmt.Errorf("bundle: %s has %d bytes; 1 to %d are allowed", name, size, limit(name))
	case len(w.seen) >= maxMembers-1:
		return fmt.Errorf("bundle: more than %d members", maxMembers)
	}
	w.part, w.seen[name] = p, true
	return w.member(name, size, r)
}

func (w *Writer) member(name string, size int64, r io.Reader) error {
	h := header(name, size)
	if _, err := w.w.Write(h[:]); err != nil {
		return err
	}
	n, err := io.Copy(w.w, io.LimitReader(r, size))
	if err != nil {
		return fmt.Errorf("bundle: %s: %w", name, err)
	}
	if n != size {
		return fmt.Errorf("bundle: %s ends after %d of %d bytes", name, n, size)
	}
	if extra, err := r.Read(make([]byte, 1)); extra > 0 {
		return fmt.Errorf("bundle: %s goes on after %d bytes", name, size)
	} else if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("bundle: %s: %w", name, err)
	}
	_, err = w.w.Write(make([]byte, padded(size)-size))
	return err
}

// Close ends the bundle; it does not close what it is written to.
func (w *Writer) Close() error {
	_, err := w.w.Write(make([]byte, 2*block))
	return err
}
