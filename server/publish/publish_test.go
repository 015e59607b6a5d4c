package publish_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
)

// ready is a world with one product, one release and its rollout.
func ready(t *testing.T) (*world, *publish.Publisher) {
	t.Helper()
	w := newWorld(t)
	p := w.start()
	w.rollouts.builds = []manifests.Build{42}
	_, err := submit(p, releasetest.Join(w.makers.Init(), w.makers.Product(phone)))
	w.must(err)
	_, err = submit(p, w.makers.Add(w.makers.Release(42)))
	w.must(err)
	return w, p
}

func TestNothingIsPublishedBeforeThereIsARoot(t *testing.T) {
	w := newWorld(t)
	p := w.start()
	if err := p.Renew(ctx); err != nil {
		t.Error(err)
	}
	if err := p.Publish(ctx); !errors.Is(err, publish.ErrNotConfigured) || p.Tree() != nil {
		t.Errorf("got %v", err)
	}
}

// TestReadersNeverSeeAMixture fails every store operation of a publish in
// turn, once before and once after it took effect, and reads the tree with a
// plain TUF client each time; then starts a new process, which must finish.
func TestReadersNeverSeeAMixture(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, fired := 1, true; fired; at++ {
			w, _ := ready(t)
			w.read()
			w.rollouts.builds = []manifests.Build{43, 42}
			s := w.makers.Add(w.makers.Release(43))
			f := &faults{at: at, after: after}
			p, err := w.open(faultyLedger{w.ledger, f}, faultyBlobs{w.blobs, f})
			if err == nil {
				_, err = submit(p, s)
			}
			if fired = f.count >= at; fired && !errors.Is(err, errFault) {
				t.Fatalf("operation %d: %v", at, err)
			}
			if doc := w.read(); len(doc.Rollouts) != 1 && len(doc.Rollouts) != 2 {
				t.Fatalf("operation %d: %d rollouts", at, len(doc.Rollouts))
			}
			w.advance(time.Minute) // the dead process's lease runs out
			next := w.start()
			w.must(next.Renew(ctx))
			w.read()
			_, err = submit(next, s) // the engineer tries again
			w.must(err)
			if doc := w.read(); len(doc.Rollouts) != 2 || doc.Rollouts[0].Build != 43 {
				t.Fatalf("operation %d: the submission is lost: %+v", at, doc)
			}
		}
	}
}

func TestFailedPublishIsRepeatedByTheSameProcess(t *testing.T) {
	w, _ := ready(t)
	w.rollouts.state = rollout.Halted
	f := &faults{}
	p, err := w.open(faultyLedger{w.ledger, f}, faultyBlobs{w.blobs, f})
	w.must(err)
	f.at, f.count = 3, 0
	if err := p.Publish(ctx); !errors.Is(err, errFault) {
		t.Fatalf("got %v", err)
	}
	w.must(p.Renew(ctx))
	if doc := w.read(); doc.Rollouts[0].State != rollout.Halted {
		t.Errorf("the halt was not published: %+v", doc)
	}
}

func TestDocumentsAreChained(t *testing.T) {
	w, p := ready(t)
	first := w.read()
	raw, err := first.Canonical()
	w.must(err)
	w.rollouts.state = rollout.Halted
	w.must(p.Publish(ctx))
	second := w.read()
	if second.Counter != first.Counter+1 || second.Prev == nil || *second.Prev != manifests.SumSHA256(raw) {
		t.Errorf("counter %d after %d, prev %v", second.Counter, first.Counter, second.Prev)
	}
	before := timestampOf(t, p)
	w.must(p.Publish(ctx))
	if timestampOf(t, p) != before {
		t.Error("published again although nothing changed")
	}
}

func TestTreeNeverExpiresWhileTheServerRuns(t *testing.T) {
	w, p := ready(t)
	stamps := map[string]bool{}
	for range 30 * 24 / 3 {
		w.advance(3 * time.Hour)
		w.must(p.Renew(ctx))
		w.read()
		stamps[timestampOf(t, p)] = true
	}
	if n := len(stamps); n < 110 || n > 130 {
		t.Errorf("%d timestamps in 30 days; one every 6 hours makes 120", n)
	}
}

func TestOldFilesStayForThoseInMidRefreshAndThenGo(t *testing.T) {
	w, p := ready(t)
	old := layout.MetadataFile("snapshot", p.Tree().Snapshot)
	w.rollouts.state = rollout.Halted
	w.must(p.Publish(ctx))
	if p.Tree().File(old) == nil {
		t.Error("the snapshot that the last timestamp named is gone at once")
	}
	for range 4 {
		w.advance(24 * time.Hour)
		w.must(p.Renew(ctx))
	}
	if _, _, err := w.blobs.Open(ctx, old); !errors.Is(err, store.ErrNotFound) || p.Tree().File(old) != nil {
		t.Errorf("the old snapshot is still there: %v", err)
	}
	if p.Tree().File(layout.MetadataFile("root", 1)) == nil {
		t.Error("a root was collected")
	}
	w.read()
}

func TestNumberThatExistsWithOtherBytesIsBurnt(t *testing.T) {
	w, p := ready(t)
	next := layout.MetadataFile("snapshot", p.Tree().Snapshot+1)
	w.must(store.PutBytes(ctx, w.blobs, next, []byte("by a publisher that was paused")))
	w.rollouts.state = rollout.Halted
	before := p.Tree().Snapshot
	w.must(p.Publish(ctx))
	if p.Tree().Snapshot != before+2 {
		t.Errorf("snapshot %d after %d", p.Tree().Snapshot, before)
	}
	w.read()
}

func TestTwoProcessesTakeTurns(t *testing.T) {
	w, a := ready(t)
	b := w.start()
	for i, state := range []rollout.State{rollout.Held, rollout.Active, rollout.Halted} {
		w.rollouts.state = state
		w.must([]*publish.Publisher{a, b}[i%2].Publish(ctx))
		if doc := w.read(); doc.Rollouts[0].State != state {
			t.Errorf("%s is not published", state)
		}
	}
}

func TestBucketThiefIsNoticedAtStart(t *testing.T) {
	w, p := ready(t)
	path := layout.MetadataFile("targets", 2)
	w.must(w.blobs.Delete(ctx, path))
	w.must(store.PutBytes(ctx, w.blobs, path, []byte(strings.Repeat("x", len(file(t, p, path).Body)))))
	if _, err := w.open(w.ledger, w.blobs); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestReplacedTimestampIsPutRight(t *testing.T) {
	w, p := ready(t)
	_, tag, err := w.blobs.Load(ctx, layout.TimestampFile)
	w.must(err)
	_, err = w.blobs.Replace(ctx, layout.TimestampFile, []byte("{}"), tag)
	w.must(err)
	again := w.start()
	if timestampOf(t, again) != timestampOf(t, p) {
		t.Error("another timestamp")
	}
	w.read()
}

func TestWithdrawnReleaseLeavesTheDocumentInTheSameSnapshot(t *testing.T) {
	w, p := ready(t)
	_, err := submit(p, w.makers.Withdraw(phone, 42))
	w.must(err)
	doc, signed, err := w.reader.Read(t, phone)
	w.must(err)
	if len(doc.Rollouts) != 0 || len(signed) != 0 {
		t.Errorf("%d rollouts, %d releases", len(doc.Rollouts), len(signed))
	}
}

func TestWhatDoesNotVerifyIsNotPublished(t *testing.T) {
	w, p := ready(t)
	before := timestampOf(t, p)
	w.makers.Signers = 1
	if _, err := submit(p, w.makers.Add(w.makers.Release(43))); err == nil {
		t.Error("published with too few signatures")
	}
	f, _, err := w.blobs.Open(ctx, layout.TimestampFile)
	w.must(err)
	data, err := io.ReadAll(f)
	w.must(errors.Join(err, f.Close()))
	if string(data) != before {
		t.Error("the timestamp moved")
	}
	w.read()
}

func TestKeysDoNotPrint(t *testing.T) {
	w := newWorld(t)
	if s := w.keys.String() + w.keys.GoString(); strings.Contains(s, "[") {
		t.Error(s)
	}
}
