package release_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

// slow is a store that takes its time over each blob.
type slow struct {
	release.SharedBlobs
	begun chan struct{} // told of each Put
	may   chan struct{} // closed when they may go on
}

func (s *slow) Put(ctx context.Context, o store.Object, body io.Reader) error {
	s.begun <- struct{}{}
	select {
	case <-s.may:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.SharedBlobs.Put(ctx, o, body)
}

func (w *world) slowUploads() (*release.Uploads, *slow) {
	w.t.Helper()
	s := &slow{SharedBlobs: w.blobs, begun: make(chan struct{}, 9), may: make(chan struct{})}
	u, err := release.NewUploads(w.ledger, s, w.t.TempDir(), func() time.Time { return w.Now })
	w.must(err)
	return u, s
}

// A client, or a proxy, gives up after a minute or two; a blob of 10 GB takes
// longer than that to be read, hashed and written.
func TestBlobThatTakesLongerThanItsSenderWaitsIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	u, blobs := w.slowUploads()
	defer func() { w.must(u.Close()) }()
	data := bytes.Repeat([]byte("image"), 1000)
	s, err := u.Begin(ctx, "me", announce(data))
	w.must(err)
	impatient, leave := context.WithCancel(ctx)
	answered := make(chan error)
	go func() {
		_, err := u.Append(impatient, "me", s.ID, 0, bytes.NewReader(data))
		answered <- err
	}()
	<-blobs.begun
	leave()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	go func() { // the same command again
		s, err := u.Begin(ctx, "me", announce(data))
		if err == nil && !s.Complete {
			err = errors.New("not complete")
		}
		answered <- err
	}()
	if _, err := u.Begin(ctx, "me", announce([]byte("another"))); err != nil { // nobody else waits
		t.Error(err)
	}
	close(blobs.may)
	w.must(<-answered)
	if len(blobs.begun) > 0 {
		t.Error("it was made twice")
	}
	if info, err := w.blobs.Stat(ctx, layout.BlobFile(manifests.SumSHA256(data))); err != nil || info.Size != int64(len(data)) {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestServerThatEndsWaitsForNoBlob(t *testing.T) {
	w := newWorld(t)
	u, blobs := w.slowUploads()
	data := []byte("image")
	s, err := u.Begin(ctx, "me", announce(data))
	w.must(err)
	answered := make(chan error)
	go func() {
		_, err := u.Append(ctx, "me", s.ID, 0, bytes.NewReader(data))
		answered <- err
	}()
	<-blobs.begun
	w.must(u.Close())
	if err := <-answered; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if s, err := w.ledger.Upload(ctx, s.ID); err != nil || s.Offset != s.Size {
		t.Errorf("what had arrived is forgotten: %+v, %v", s, err)
	}
}
