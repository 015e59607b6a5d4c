package release_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// A blob that was here long before is claimed by whoever is about to submit the
// release that names it: a sweep passes over what uploads name.
func TestOldBlobThatIsAnnouncedAgainIsClaimed(t *testing.T) {
	w := newWorld(t)
	u := w.uploads()
	data := []byte("an image")
	w.must(store.PutBytes(ctx, w.blobs, layout.BlobFile(announce(data).SHA256), data))
	for _, later := range []time.Duration{time.Hour, 25 * time.Hour, 26 * time.Hour} {
		w.Now = time.Now().Add(later)
		s, err := u.Begin(ctx, "me", announce(data))
		if w.must(err); !s.Complete {
			t.Errorf("after %v it is to be sent again: %+v", later, s)
		}
		all, err := u.Uploads(ctx)
		if w.must(err); len(all) != min(1, int(later/(25*time.Hour))) {
			t.Errorf("after %v: claims %+v", later, all)
		}
	}
}

func TestUploadsThatNobodyGoesOnWithLeaveNothing(t *testing.T) {
	w := newWorld(t)
	u := w.uploads()
	w.Now = time.Now()
	data := bytes.Repeat([]byte("image"), 1000)
	s, err := u.Begin(ctx, "me", announce(data))
	w.must(err)
	stray := filepath.Join(w.dir, "uploads", "of-a-dead-server")
	w.must(os.WriteFile(stray, data, 0o600))
	w.must(u.Sweep(ctx))
	files := func() int {
		found, err := filepath.Glob(filepath.Join(w.dir, "uploads", "*"))
		w.must(err)
		return len(found)
	}
	if n := files(); n != 2 {
		t.Errorf("%d files; none was old", n)
	}
	w.Now = w.Now.Add(25 * time.Hour)
	w.must(u.Sweep(ctx))
	if _, err := u.Get(ctx, "me", s.ID); err != nil || files() != 1 {
		t.Errorf("an upload of yesterday: %v, %d files", err, files())
	}
	w.Now = w.Now.Add(7 * 24 * time.Hour)
	w.must(u.Sweep(ctx))
	if _, err := u.Get(ctx, "me", s.ID); err == nil || files() != 0 {
		t.Errorf("an upload of last week: %v, %d files", err, files())
	}
}
