package publish_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
)

// spoil replaces a published file behind the publisher's back; nil deletes it.
func (w *world) spoil(path string, data []byte) {
	w.t.Helper()
	w.must(w.blobs.Delete(ctx, path))
	if data != nil {
		w.must(store.PutBytes(ctx, w.blobs, path, data))
	}
}

func TestStoreChangedBehindOurBackIsPutRight(t *testing.T) {
	w, p := ready(t)
	w.must(store.PutBytes(ctx, w.blobs, layout.BlobFile(manifests.SumSHA256(releasetest.Blob)), releasetest.Blob))
	if mended, err := p.Patrol(ctx); err != nil || len(mended) > 0 {
		t.Errorf("nothing happened: %v, %v", mended, err)
	}
	snapshot := layout.MetadataFile("snapshot", p.Tree().Snapshot)
	for path, data := range map[string][]byte{
		layout.MetadataFile("root", 1):    nil,
		layout.MetadataFile("targets", 2): []byte("other bytes"),
		snapshot:                          []byte(strings.Repeat("x", len(file(t, p, snapshot).Body))),
		layout.TimestampFile:              []byte("{}"),
	} {
		before := string(file(t, p, path).Body)
		w.spoil(path, data)
		mended, err := p.Patrol(ctx)
		if err != nil || !slices.Equal(mended, []string{path}) {
			t.Errorf("%s: put right were %v, %v", path, mended, err)
		}
		if now, _, err := w.blobs.Load(ctx, path); err != nil || string(now) != before {
			t.Errorf("%s: %d bytes, %v", path, len(now), err)
		}
		if string(file(t, p, path).Body) != before {
			t.Errorf("%s: readers were served other bytes", path)
		}
	}
	w.read()
}

func TestImageThatIsGoneIsNamed(t *testing.T) {
	w, p := ready(t)
	image := layout.BlobFile(manifests.SumSHA256(releasetest.Blob))
	for _, c := range []struct {
		data  []byte
		words string
	}{{nil, "is gone"}, {[]byte("x"), "signed are"}} {
		w.spoil(image, c.data)
		_, err := p.Patrol(ctx)
		if err == nil || !strings.Contains(err.Error(), image) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("got %v", err)
		}
	}
}

// What only the store held is lost with it; the last submission is in the
// ledger too.
func TestLostFileIsTakenFromTheLedger(t *testing.T) {
	w, p := ready(t)
	path := layout.MetadataFile("releases-phone", 2)
	before := string(file(t, p, path).Body)
	for _, data := range [][]byte{nil, []byte("x")} {
		w.spoil(path, data)
		again := w.start()
		if string(file(t, again, path).Body) != before {
			t.Error("other bytes")
		}
		w.read()
	}
	w.spoil(layout.MetadataFile("targets", 2), nil)
	if _, err := w.open(w.ledger, w.blobs); err == nil || !strings.Contains(err.Error(), "2.targets.json") {
		t.Errorf("a file that nobody has: %v", err)
	}
}

// A store that cannot be read has not been changed.
func TestPatrolMendsNothingThatItCannotRead(t *testing.T) {
	w, _ := ready(t)
	f := &faults{}
	p, err := w.open(w.ledger, unreadable{faultyBlobs{w.blobs, f}})
	w.must(err)
	for n := range 3 {
		f.at = f.count + 1 + n // 1 is the timestamp, then file after file
		if mended, err := p.Patrol(ctx); err == nil || len(mended) > 0 {
			t.Errorf("request %d: put right were %v, %v", n, mended, err)
		}
	}
}

// unreadable is a store of which single reads fail.
type unreadable struct{ faultyBlobs }

func (b unreadable) Open(ctx context.Context, key string) (r io.ReadSeekCloser, info store.Info, err error) {
	err = b.around(func() error { r, info, err = b.Blobs.Open(ctx, key); return err })
	return r, info, err
}

func (b unreadable) Load(ctx context.Context, key string) (data []byte, tag store.ETag, err error) {
	err = b.around(func() error { data, tag, err = b.Blobs.Load(ctx, key); return err })
	return data, tag, err
}
