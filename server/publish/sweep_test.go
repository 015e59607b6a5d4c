package publish_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

// swept is a world whose clock is the store's, for a sweep goes by the age of
// objects. It has builds 42 and 43, with an image each.
type swept struct {
	*world
	p       *publish.Publisher
	store   store.Blobs
	uploads uploading
}

type uploading []store.Upload

func (u uploading) Uploads(context.Context) ([]store.Upload, error) { return u, nil }

func image(build manifests.Build) []byte { return []byte("image of build " + build.String()) }

func blobOf(build manifests.Build) string {
	return layout.BlobFile(manifests.SumSHA256(image(build)))
}

func (w *world) withImage(build manifests.Build) []byte {
	w.t.Helper()
	return w.makers.Release(build, func(r *manifests.Release) {
		r.Images = []manifests.Image{imagetest.Unseen(build, imagetest.Blob(image(build)))}
	})
}

func sweeping(t *testing.T, blobs store.Blobs, w *world) *swept {
	t.Helper()
	w.set(time.Now().UTC().Truncate(time.Second))
	w.makers.Now, w.reader.Blobs, w.rollouts.builds = w.clock(), blobs, []manifests.Build{43, 42}
	p, err := w.open(w.ledger, blobs)
	w.must(err)
	s := &swept{world: w, p: p, store: blobs}
	for _, build := range []manifests.Build{42, 43} {
		w.must(store.PutBytes(ctx, blobs, blobOf(build), image(build)))
	}
	_, err = submit(p, w.makers.Init())
	w.must(err)
	_, err = submit(p, w.makers.Product(phone))
	w.must(err)
	for _, build := range []manifests.Build{42, 43} {
		_, err = submit(p, w.makers.Add(w.withImage(build)))
		w.must(err)
	}
	return s
}

// pass lets time go by, with a server that renews what is due.
func (s *swept) pass(d time.Duration) {
	s.t.Helper()
	for end := s.clock().Add(d); s.clock().Before(end); {
		s.advance(min(12*time.Hour, end.Sub(s.clock())))
		s.must(s.p.Renew(ctx))
	}
}

func (s *swept) sweep() publish.Swept {
	s.t.Helper()
	out, err := s.p.Sweep(ctx, publish.Sweeping{Blobs: s.store, Uploads: s.uploads, Now: s.clock()})
	s.must(err)
	return out
}

func (s *swept) has(key string) bool {
	s.t.Helper()
	_, err := s.store.Stat(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.t.Fatal(err)
	}
	return err == nil
}

// stores runs a test on a folder and on a bucket.
func stores(t *testing.T, test func(t *testing.T, s *swept)) {
	t.Run("disk", func(t *testing.T) {
		w := newWorld(t)
		test(t, sweeping(t, w.blobs, w))
	})
	t.Run("s3", func(t *testing.T) {
		blobs, err := s3.New(t.Context(), storetest.StartS3(t).Config(t, "bucket"))
		if err != nil {
			t.Fatal(err)
		}
		test(t, sweeping(t, blobs, newWorld(t)))
	})
}

func TestImagesOfAReleaseThatLeftTheListGoInTime(t *testing.T) {
	stores(t, func(t *testing.T, s *swept) {
		_, err := submit(s.p, s.makers.Withdraw(phone, 42))
		s.must(err)
		s.pass(publish.Grace - time.Hour)
		s.sweep()
		if !s.has(blobOf(42)) {
			t.Error("the image is gone while handsets may be in mid-refresh")
		}
		s.pass(publish.OrphanLife)
		if n := s.sweep(); n.Objects != 1 || n.Bytes != int64(len(image(42))) {
			t.Errorf("%+v", n)
		}
		if s.has(blobOf(42)) || !s.has(blobOf(43)) {
			t.Errorf("42: %v, 43: %v", s.has(blobOf(42)), s.has(blobOf(43)))
		}
		s.read()
	})
}

func TestWhatACrashLeftIsSweptAndUploadsAreNot(t *testing.T) {
	stores(t, func(t *testing.T, s *swept) {
		lost := []string{"metadata/999.snapshot.json", "targets/releases/phone/" + strings.Repeat("ab", 32) + ".9.json", blobOf(7)}
		kept := []string{blobOf(8), "uploads/x/0", "archive/phone/1.retired.json"}
		for _, key := range slices.Concat(lost, kept) {
			s.must(store.PutBytes(ctx, s.store, key, image(7)))
		}
		s.must(s.store.Delete(ctx, blobOf(8)))
		s.must(store.PutBytes(ctx, s.store, blobOf(8), image(8)))
		s.uploads = uploading{{ID: "x", SHA256: manifests.SumSHA256(image(8))}}
		if n := s.sweep(); n.Objects != 0 {
			t.Errorf("young objects were swept: %+v", n)
		}
		s.pass(publish.OrphanLife + time.Hour)
		orphans, err := publish.Orphans(ctx, s.ledger, publish.Sweeping{Blobs: s.store, Uploads: s.uploads, Now: s.clock()})
		s.must(err)
		if len(orphans) != len(lost) {
			t.Errorf("orphans: %+v", orphans)
		}
		if n := s.sweep(); n.Objects != len(lost) {
			t.Errorf("%+v", n)
		}
		for _, key := range lost {
			if s.has(key) {
				t.Errorf("%s is still there", key)
			}
		}
		for _, key := range append(kept, blobOf(42), blobOf(43)) {
			if !s.has(key) {
				t.Errorf("%s is gone", key)
			}
		}
		s.read()
	})
}

// stopping is a store whose reader stops once before it reads the snapshot.
type stopping struct {
	store.Blobs
	meanwhile func()
}

func (b *stopping) Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	if do := b.meanwhile; do != nil && strings.HasSuffix(key, ".snapshot.json") {
		b.meanwhile = nil
		do()
	}
	return b.Blobs.Open(ctx, key)
}

// A client reads the timestamp and sleeps. Hours pass, the tree moves on twice,
// files are collected and swept, and it goes on: it ends well with the state
// that its timestamp named, as long as that timestamp counted and a day longer.
// Later it fails, and the next poll is clean. It never sees a mixture.
func TestClientInMidRefreshSurvivesCollection(t *testing.T) {
	stores(t, func(t *testing.T, s *swept) {
		for _, asleep := range []time.Duration{5 * time.Hour, publish.Grace - time.Hour, publish.Grace + 13*time.Hour, publish.OrphanLife + publish.Grace} {
			s.rollouts.set(rollout.Active)
			s.must(s.p.Publish(ctx))
			before := s.read()
			s.rollouts.set(rollout.Held) // so that there is something to read
			s.must(s.p.Publish(ctx))
			reads := &stopping{Blobs: s.store}
			reads.meanwhile = func() {
				s.rollouts.set(rollout.Halted)
				s.must(s.p.Publish(ctx))
				s.pass(asleep)
				s.sweep()
			}
			s.reader.Blobs = reads
			doc, _, err := s.reader.Read(t, phone)
			s.reader.Blobs = s.store
			switch {
			case err == nil && (doc.Counter != before.Counter+1 || doc.Rollouts[0].State != rollout.Held):
				t.Errorf("asleep for %v: a mixture: %+v", asleep, doc)
			case err != nil && asleep < publish.Grace:
				t.Errorf("asleep for %v: %v", asleep, err)
			case err == nil && asleep > publish.Grace:
				t.Errorf("asleep for %v: files that nothing needs are kept", asleep)
			}
			if doc := s.read(); doc.Rollouts[0].State != rollout.Halted {
				t.Errorf("the poll after: %+v", doc)
			}
		}
	})
}

// What a release says about its own making stays as long as it does, and goes
// with it.
func TestProvenanceAndSBOMStayAsLongAsTheirRelease(t *testing.T) {
	w := newWorld(t)
	s := sweeping(t, w.blobs, w)
	statement, sbom := []byte("a statement of how build 44 was built"), []byte("what is inside build 44")
	attached := []string{}
	for _, data := range [][]byte{statement, sbom, image(44)} {
		key := layout.BlobFile(manifests.SumSHA256(data))
		s.must(store.PutBytes(ctx, s.store, key, data))
		attached = append(attached, key)
	}
	s.rollouts.builds = append(s.rollouts.builds, 44)
	_, err := submit(s.p, s.makers.Add(s.makers.Release(44, func(r *manifests.Release) {
		r.Images = []manifests.Image{imagetest.Unseen(44, imagetest.Blob(image(44)))}
		r.Provenance = &manifests.Blob{SHA256: manifests.SumSHA256(statement), Size: int64(len(statement))}
		r.SBOM = &manifests.SBOM{Format: manifests.SPDX, SHA256: manifests.SumSHA256(sbom), Size: int64(len(sbom))}
	})))
	s.must(err)
	s.pass(publish.OrphanLife + publish.Grace)
	s.sweep()
	for _, key := range attached {
		if !s.has(key) {
			t.Errorf("%s is gone while its release is signed", key)
		}
	}
	_, err = submit(s.p, s.makers.Withdraw(phone, 44))
	s.must(err)
	s.pass(publish.OrphanLife + 2*publish.Grace)
	s.sweep()
	for _, key := range attached {
		if s.has(key) {
			t.Errorf("%s is still there", key)
		}
	}
}
