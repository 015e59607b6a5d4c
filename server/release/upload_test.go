package release_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

func (w *world) uploads() *release.Uploads {
	w.t.Helper()
	dir := filepath.Join(w.dir, "uploads")
	w.must(os.MkdirAll(dir, 0o700))
	u, err := release.NewUploads(w.ledger, w.blobs, dir, func() time.Time { return w.Now })
	w.must(err)
	w.t.Cleanup(func() {
		if err := u.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return u
}

// servers are two that share ledger and store, each with a folder of its own.
func (w *world) servers() (a, b *release.Uploads) {
	w.t.Helper()
	both := [2]*release.Uploads{}
	for i := range both {
		u, err := release.NewSharedUploads(w.ledger, w.blobs, w.t.TempDir(), func() time.Time { return w.Now })
		w.must(err)
		w.t.Cleanup(func() {
			if err := u.Close(); err != nil {
				w.t.Error(err)
			}
		})
		both[i] = u
	}
	return both[0], both[1]
}

func TestUploadGoesOnAtAnotherServer(t *testing.T) {
	w := newWorld(t)
	a, b := w.servers()
	data := bytes.Repeat([]byte("image"), 1000)
	s, err := a.Begin(ctx, "me", announce(data))
	w.must(err)
	broken := io.MultiReader(bytes.NewReader(data[:1500]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := a.Append(ctx, "me", s.ID, 0, broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	if s, err = b.Get(ctx, "me", s.ID); err != nil || s.Offset != 1500 {
		t.Fatalf("%+v, %v", s, err)
	}
	_, err = b.Append(ctx, "me", s.ID, 1500, bytes.NewReader(data[1500:2000]))
	w.must(err)
	if _, err := a.Append(ctx, "me", s.ID, 1500, bytes.NewReader(data[1500:2000])); !errors.Is(err, release.ErrWrongOffset) {
		t.Errorf("the same piece at the other server: %v", err)
	}
	if s, err = a.Append(ctx, "me", s.ID, 2000, bytes.NewReader(data[2000:])); err != nil || !s.Complete {
		t.Fatalf("%+v, %v", s, err)
	}
	if info, err := w.blobs.Stat(ctx, layout.BlobFile(manifests.SumSHA256(data))); err != nil || info.Size != int64(len(data)) {
		t.Errorf("%+v, %v", info, err)
	}
	w.noPieces()
}

func (w *world) noPieces() {
	w.t.Helper()
	for info, err := range w.blobs.List(ctx, "uploads/") {
		w.must(err)
		w.t.Errorf("left over: %s", info.Key)
	}
}

type uploads interface{ store.Uploads }

// dying is a ledger that fails as if the server died before it was told of a
// piece, or before it was told that the blob is made.
type dying struct {
	uploads
	advance, delete error
}

func (d *dying) AdvanceUpload(ctx context.Context, id string, from, to int64, at time.Time) error {
	if d.advance != nil {
		return d.advance
	}
	return d.uploads.AdvanceUpload(ctx, id, from, to, at)
}

func (d *dying) DeleteUpload(ctx context.Context, id string) error {
	if d.delete != nil {
		return d.delete
	}
	return d.uploads.DeleteUpload(ctx, id)
}

func TestPiecesOfADeadServerAreTakenOver(t *testing.T) {
	w := newWorld(t)
	died := errors.New("died")
	l := &dying{uploads: w.ledger, advance: died}
	dead, err := release.NewSharedUploads(l, w.blobs, t.TempDir(), func() time.Time { return w.Now })
	w.must(err)
	defer func() { w.must(dead.Close()) }()
	_, other := w.servers()
	data := bytes.Repeat([]byte("image"), 1000)
	s, err := dead.Begin(ctx, "me", announce(data))
	w.must(err)
	if _, err := dead.Append(ctx, "me", s.ID, 0, bytes.NewReader(data[:1000])); !errors.Is(err, died) {
		t.Fatal(err)
	}
	// Sent again it may be cut otherwise: shorter here, longer below.
	if s, err = other.Append(ctx, "me", s.ID, 0, bytes.NewReader(data[:600])); err != nil || s.Offset != 1000 {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := dead.Append(ctx, "me", s.ID, 1000, bytes.NewReader(data[1000:1500])); !errors.Is(err, died) {
		t.Fatal(err)
	}
	if s, err = other.Append(ctx, "me", s.ID, 1000, bytes.NewReader(data[1000:3000])); err != nil || s.Offset != 3000 {
		t.Fatalf("%+v, %v", s, err)
	}
	// Other bytes than were sent before are not mixed in.
	if _, err := dead.Append(ctx, "me", s.ID, 3000, strings.NewReader("junk")); !errors.Is(err, died) {
		t.Fatal(err)
	}
	if _, err := other.Append(ctx, "me", s.ID, 3000, bytes.NewReader(data[3000:])); !errors.Is(err, release.ErrWrongHash) {
		t.Fatalf("got %v", err)
	}
	// All has arrived, and the server dies before it is a blob.
	l.advance, l.delete = nil, died
	if _, err := dead.Append(ctx, "me", s.ID, 3000, bytes.NewReader(data[3000:])); !errors.Is(err, died) {
		t.Fatal(err)
	}
	w.must(w.blobs.Delete(ctx, layout.BlobFile(manifests.SumSHA256(data)))) // it died a moment earlier
	if s, err = other.Begin(ctx, "me", announce(data)); err != nil || !s.Complete {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := w.blobs.Stat(ctx, layout.BlobFile(manifests.SumSHA256(data))); err != nil {
		t.Error(err)
	}
	w.noPieces()
	// What belongs to nothing goes after a day.
	w.must(store.PutBytes(ctx, w.blobs, "uploads/gone/00000000000000000000", data))
	w.must(other.Sweep(ctx))
	w.Now = time.Now().Add(25 * time.Hour)
	w.must(other.Sweep(ctx))
	w.noPieces()
}

// meanwhile is a store in which something happens before a piece is read.
type meanwhile struct {
	release.SharedBlobs
	before func()
}

func (m *meanwhile) Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	if f := m.before; f != nil {
		m.before = nil
		f()
	}
	return m.SharedBlobs.Open(ctx, key)
}

// A server that had all bytes, and was only slow, makes the blob while another
// one, which was asked instead, is about to.
func TestBlobThatTwoServersMakeIsComplete(t *testing.T) {
	w := newWorld(t)
	slow, _ := w.servers()
	data := bytes.Repeat([]byte("image"), 1000)
	between := &meanwhile{SharedBlobs: w.blobs}
	asked, err := release.NewSharedUploads(w.ledger, between, t.TempDir(), func() time.Time { return w.Now })
	w.must(err)
	defer func() { w.must(asked.Close()) }()
	s, err := asked.Begin(ctx, "me", announce(data))
	w.must(err)
	between.before = func() {
		if s, err := slow.Begin(ctx, "me", announce(data)); err != nil || !s.Complete {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if s, err = asked.Append(ctx, "me", s.ID, 0, bytes.NewReader(data)); err != nil || !s.Complete {
		t.Errorf("%+v, %v", s, err)
	}
	if info, err := w.blobs.Stat(ctx, layout.BlobFile(manifests.SumSHA256(data))); err != nil || info.Size != int64(len(data)) {
		t.Errorf("%+v, %v", info, err)
	}
	w.noPieces()
}

func announce(data []byte) manifests.Blob {
	return manifests.Blob{SHA256: manifests.SumSHA256(data), Size: int64(len(data))}
}

func TestUploadGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	data := bytes.Repeat([]byte("image"), 1000)
	u := w.uploads()
	s, err := u.Begin(ctx, "me", announce(data))
	w.must(err)
	broken := io.MultiReader(bytes.NewReader(data[:2000]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := u.Append(ctx, "me", s.ID, 0, broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	again := w.uploads()
	s, err = again.Begin(ctx, "me", announce(data))
	if err != nil || s.Offset != 2000 {
		t.Fatalf("resumes at %d, %v", s.Offset, err)
	}
	s, err = again.Append(ctx, "me", s.ID, 2000, bytes.NewReader(data[2000:]))
	if err != nil || !s.Complete {
		t.Fatalf("%+v, %v", s, err)
	}
	if info, err := w.blobs.Stat(ctx, layout.BlobFile(manifests.SumSHA256(data))); err != nil || info.Size != int64(len(data)) {
		t.Errorf("%+v, %v", info, err)
	}
	if s, err = again.Begin(ctx, "me", announce(data)); err != nil || !s.Complete {
		t.Errorf("a blob that is here is asked for again: %+v, %v", s, err)
	}
	if left, err := os.ReadDir(filepath.Join(w.dir, "uploads")); err != nil || len(left) != 0 {
		t.Errorf("%d files left, %v", len(left), err)
	}
}

func TestUploadsThatDoNotFitAreRefused(t *testing.T) {
	w := newWorld(t)
	u := w.uploads()
	data := []byte("firmware image")
	s, err := u.Begin(ctx, "me", announce(data))
	w.must(err)
	if _, err := u.Append(ctx, "me", s.ID, 3, strings.NewReader("x")); !errors.Is(err, release.ErrWrongOffset) {
		t.Errorf("another offset: %v", err)
	}
	if _, err := u.Append(ctx, "somebody", s.ID, 0, strings.NewReader("x")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("somebody else's upload: %v", err)
	}
	if _, err := u.Append(ctx, "me", s.ID, 0, strings.NewReader("firmware image and more")); !errors.Is(err, release.ErrTooLarge) {
		t.Errorf("too many bytes: %v", err)
	}
	if _, err := u.Append(ctx, "me", s.ID, 0, strings.NewReader("firmware_image")); !errors.Is(err, release.ErrWrongHash) {
		t.Errorf("wrong hash: %v", err)
	}
	if _, err := w.blobs.Stat(ctx, layout.BlobFile(manifests.SumSHA256(data))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a blob was made: %v", err)
	}
	if _, err := u.Get(ctx, "me", s.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the bad upload is kept: %v", err)
	}
	if _, err := u.Begin(ctx, "me", manifests.Blob{Size: release.MaxBlob + 1}); !errors.Is(err, release.ErrTooLarge) {
		t.Errorf("huge: %v", err)
	}
}

func FuzzSubmission(f *testing.F) {
	f.Add("3.releases-phone.json", []byte(`{"signatures":[],"signed":{"_type":"targets"}}`))
	f.Add("2.root.json", []byte(`{"signatures":[{"keyid":"a","sig":"00"}],"signed":null}`))
	f.Add("2.targets.json", []byte(`{"signed":{"delegations":{"roles":[null]}}}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if err := release.Probe(name, data); err == nil {
			t.Error("unsigned bytes were taken")
		}
	})
}
