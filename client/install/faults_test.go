package install_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
)

// stuck is a slot that does not answer one read until it is let go.
type stuck struct {
	disk.File
	at           int64
	asked, letGo chan struct{}
}

func (s *stuck) ReadAt(b []byte, at int64) (int, error) {
	if at == s.at {
		close(s.asked)
		<-s.letGo
		s.at = -1
	}
	return s.File.ReadAt(b, at)
}

// opener is a source made of a function.
type opener func(r fetch.Range) (io.ReadCloser, error)

func (o opener) OpenRange(_ context.Context, r fetch.Range) (io.ReadCloser, error) { return o(r) }

type body struct {
	io.Reader
	close func() error
}

func (b body) Close() error { return b.close() }

// The download is over, the last chunks wait for a slow slot, and the agent is
// told to stop: an unfinished slot must not pass for a finished one. Chunks
// that are through already may be written still, so it is done a few times.
func TestCancelAfterTheLastByteIsNoSuccess(t *testing.T) {
	b := build(t, 2<<20)
	index, err := image.Parse(b.Index)
	if err != nil {
		t.Fatal(err)
	}
	// So near the end that the rows after it fit between the stages, and so far
	// from it that they do not fit between the last two.
	near := len(index.Rows) - 12
	if index.Unique(near) {
		t.Fatalf("row %d of %d is no repeat", near, len(index.Rows))
	}
	for range 10 {
		f := slot(t, b.Image.Size)
		p, err := cancelAt(t, b, f, index.Rows[index.Rows[near].First].Offset)
		if p.At == b.Image.Size {
			continue
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("byte %d of %d: %v", p.At, b.Image.Size, err)
		}
		o := options(b, sourceOf(b), f)
		o.From = p
		if _, err := install.Install(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if err := install.Verify(t.Context(), f, b.Image); err != nil {
			t.Fatal(err)
		}
	}
}

// cancelAt installs, and cancels once everything is downloaded and the slot is
// asked for what it has at offset at.
func cancelAt(t *testing.T, b *imagetest.Built, slot disk.File, at int64) (install.Progress, error) {
	t.Helper()
	f := &stuck{File: slot, at: at, asked: make(chan struct{}), letGo: make(chan struct{})}
	downloaded := make(chan struct{})
	s := opener(func(r fetch.Range) (io.ReadCloser, error) {
		in, err := sourceOf(b).OpenRange(t.Context(), r)
		return body{in, func() error {
			if r.Path == layout.BlobFile(b.Image.Pack.SHA256) {
				close(downloaded)
			}
			return in.Close()
		}}, err
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-f.asked
		<-downloaded
		cancel()
		close(f.letGo)
	}()
	return install.Install(ctx, options(b, s, f))
}

func TestTruncatedBlobIsAnErrorAndWhatCameIsKept(t *testing.T) {
	b := build(t, 2<<20)
	for name, ref := range map[string]int{"index": len(b.Index), "pack": len(b.Pack)} {
		for _, missing := range []int{1, ref / 2, ref} {
			s := opener(func(r fetch.Range) (io.ReadCloser, error) {
				in, err := sourceOf(b).OpenRange(t.Context(), r)
				if r.Size == int64(ref) {
					return body{io.LimitReader(in, r.Size-r.From-int64(missing)), in.Close}, err
				}
				return in, err
			})
			f := slot(t, b.Image.Size)
			o := options(b, s, f)
			p, err := install.Install(t.Context(), o)
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s without %d bytes: %v", name, missing, err)
			}
			if name == "pack" && missing == 1 && p.At == 0 {
				t.Error("what came before the end is forgotten")
			}
			o.Source, o.From = sourceOf(b), p
			if _, err := install.Install(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if err := install.Verify(t.Context(), f, b.Image); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// zeros never ends, and counts what is read of it.
type zeros struct{ read int64 }

func (z *zeros) Read(b []byte) (int, error) {
	clear(b)
	z.read += int64(len(b))
	return len(b), nil
}

func TestEndlessBodyIsReadNoFurtherThanWasSigned(t *testing.T) {
	b := build(t, 2<<20)
	for name, whole := range map[string]bool{"instead": false, "behind": true} {
		z := &zeros{}
		s := opener(func(r fetch.Range) (io.ReadCloser, error) {
			in, err := sourceOf(b).OpenRange(t.Context(), r)
			if whole {
				return body{io.MultiReader(in, z), in.Close}, err
			}
			return body{z, in.Close}, err
		})
		_, err := install.Install(t.Context(), options(b, s, slot(t, b.Image.Size)))
		if whole && (err != nil || z.read != 0) {
			t.Errorf("%s what was signed: %v, %d bytes too many", name, err, z.read)
		}
		if limit := 3 * int64(len(b.Index)); !whole && (!errors.Is(err, install.ErrSource) || z.read > limit) {
			t.Errorf("%s of what was signed: %v, after %d bytes", name, err, z.read)
		}
	}
}
