package release_test

import (
	"bytes"
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
