// Package bundle reads an offline update where it lies: on a stick, or wherever
// a cable put it. It stands in for the network: metadata and documents come
// from it under the names of the published tree, and parts of blobs are read in
// place, so that the handset needs no room for a second copy.
//
// Nothing here is trusted or verified beyond the structure of the file: package
// trust proves the metadata, package install every byte of a blob before it
// counts. A file that changes while it is read costs the update, no more. No
// name out of a bundle is ever a path on this machine.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/candor-ota/candor/client/fetch"
	format "github.com/candor-ota/candor/manifests/bundle"
)

// File is an open bundle. It may be read from several goroutines.
type File struct {
	format.Header

	file   *os.File
	bundle *format.Bundle
}

// Open reads the table of contents of a bundle and checks its whole structure.
func Open(path string) (*File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that nobody writes to must not hold the agent up
	if err != nil {
		return nil, err
	}
	b, err := read(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return &File{Header: b.Header, file: file, bundle: b}, nil
}

func read(file *os.File) (*format.Bundle, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no plain file")
	}
	return format.Read(file, info.Size())
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Get reads a small file, of at most most bytes. There are no tags: nothing in
// a bundle changes. What is not there is fetch.ErrNotFound.
func (f *File) Get(_ context.Context, path string, most int64, _ string) (fetch.Response, error) {
	r, ok := f.bundle.File(path)
	switch {
	case !ok:
		return fetch.Response{}, fmt.Errorf("%s: %w in the bundle", path, fetch.ErrNotFound)
	case r.Size() > most:
		return fetch.Response{}, fmt.Errorf("%s: %w: %d bytes; at most %d are read", path, fetch.ErrTooLarge, r.Size(), most)
	}
	body, err := io.ReadAll(r)
	if err == nil && int64(len(body)) != r.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fetch.Response{}, fmt.Errorf("%s: %w", path, err)
	}
	return fetch.Response{Body: body}, nil
}

// OpenRange reads a part of a blob.
func (f *File) OpenRange(ctx context.Context, r fetch.Range) (io.ReadCloser, error) {
	blob, ok := f.bundle.File(r.Path)
	to := r.To
	if to == 0 {
		to = r.Size
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %w in the bundle", r.Path, fetch.ErrNotFound)
	case blob.Size() != r.Size:
		return nil, fmt.Errorf("%s: %w: it has %d bytes in the bundle, %d are signed", r.Path, fetch.ErrWrongLength, blob.Size(), r.Size)
	case r.From < 0 || r.From > to || to > r.Size:
		return nil, fmt.Errorf("%s: bytes %d to %d of %d", r.Path, r.From, to, r.Size)
	}
	return io.NopCloser(&exact{ctx: ctx, r: io.NewSectionReader(blob, r.From, to-r.From), left: to - r.From}), nil
}

// exact gives what is missing, or an error.
type exact struct {
	ctx  context.Context
	r    io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, context.Cause(e.ctx)
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = io.ErrUnexpectedEOF // the file was cut while it was read
	}
	return n, err
}
