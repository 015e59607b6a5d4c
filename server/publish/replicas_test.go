package publish_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/storetest"
)

// stamped is the version of a timestamp.
func (w *world) stamped(data []byte) int64 {
	w.t.Helper()
	m, err := metadata.Timestamp().FromBytes(data)
	w.must(err)
	return m.Signed.Version
}

// inStore reads what stands in the store, and that a handset can follow it.
func (w *world) inStore() []byte {
	w.t.Helper()
	w.read()
	data, _, err := w.blobs.Load(ctx, layout.TimestampFile)
	w.must(err)
	return data
}

// TestPausedPublisherHarmsNothing stops a publisher at every store operation in
// turn, before and after it took effect, for longer than its lease. Meanwhile
// another one publishes; then the first goes on.
func TestPausedPublisherHarmsNothing(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, fired := 1, true; fired; at++ {
			w, _ := ready(t)
			other := w.replica(w.ledger, w.blobs)
			f := &faults{after: after}
			paused := w.replica(faultyLedger{w.ledger, f}, faultyBlobs{w.blobs, f})
			f.at, f.count = at, 0
			var between []byte
			f.meanwhile = func() {
				w.advance(time.Minute)
				w.rollouts.state = rollout.Halted
				w.must(other.Publish(ctx))
				between = w.inStore()
				if doc := w.read(); doc.Rollouts[len(doc.Rollouts)-1].State != rollout.Halted {
					t.Errorf("operation %d: what the other published is not to be seen", at)
				}
			}
			w.rollouts.builds = []manifests.Build{43, 42}
			_, err := submit(paused, w.makers.Add(w.makers.Release(43)))
			if fired = between != nil; !fired {
				w.must(err)
				break
			}
			if now := w.inStore(); w.stamped(now) < w.stamped(between) {
				t.Errorf("operation %d: handsets see version %d after %d", at, w.stamped(now), w.stamped(between))
			}
			doc := w.read()
			if err == nil && (len(doc.Rollouts) != 2 || doc.Rollouts[1].State != rollout.Halted) {
				t.Errorf("operation %d: acknowledged, and lost: %+v", at, doc.Rollouts)
			}
			for _, p := range []*publish.Publisher{paused, other} {
				before := w.stamped([]byte(timestampOf(t, p)))
				if _, err := p.Follow(ctx); err != nil {
					t.Errorf("operation %d: follow: %v", at, err)
				}
				if now := []byte(timestampOf(t, p)); w.stamped(now) < before || !bytes.Equal(now, w.inStore()) {
					t.Errorf("operation %d: a replica serves %d after %d; the store has %d", at, w.stamped(now), before, w.stamped(w.inStore()))
				}
			}
		}
	}
}

func TestReplicasFollowAndNeverGoBack(t *testing.T) {
	w, _ := ready(t)
	memory := &forgetful{Ledger: w.ledger}
	a, b := w.replica(w.ledger, w.blobs), w.replica(memory, w.blobs)
	w.rollouts.state = rollout.Halted
	w.must(a.Publish(ctx))
	if timestampOf(t, a) == timestampOf(t, b) {
		t.Fatal("the replica knew before it was told")
	}
	if moved, err := b.Follow(ctx); err != nil || !moved || timestampOf(t, a) != timestampOf(t, b) {
		t.Fatalf("moved %t, %v", moved, err)
	}
	if moved, err := b.Follow(ctx); err != nil || moved {
		t.Errorf("moved %t, %v", moved, err)
	}
	shown := timestampOf(t, b)
	memory.lost = 1
	if _, err := b.Follow(ctx); err == nil {
		t.Error("a ledger that went back is believed")
	}
	if err := b.Publish(ctx); err == nil {
		t.Error("published on a ledger that went back")
	}
	if timestampOf(t, b) != shown || string(w.inStore()) != shown {
		t.Error("readers were taken back")
	}
	memory.lost = 0
	if w.must(b.Publish(ctx)); timestampOf(t, b) != shown {
		t.Error("published without need")
	}
}

// TestReplicaStartsWhileOthersNeverRest: another one publishes after every look
// that the new one takes at the ledger.
func TestReplicaStartsWhileOthersNeverRest(t *testing.T) {
	w, _ := ready(t)
	busy := w.replica(w.ledger, w.blobs)
	restless := &restless{Ledger: w.ledger, publish: func() {
		w.advance(8 * time.Hour)
		w.must(busy.Publish(ctx))
	}}
	p := w.replica(restless, w.blobs)
	if w.stamped([]byte(timestampOf(t, p))) == 0 || string(w.inStore()) != timestampOf(t, busy) {
		t.Error("readers were taken back")
	}
	before := w.stamped([]byte(timestampOf(t, p)))
	if moved, err := p.Follow(ctx); err != nil || !moved || w.stamped([]byte(timestampOf(t, p))) <= before {
		t.Errorf("moved %t, %v", moved, err)
	}
	restless.publish = func() {}
	if _, err := p.Follow(ctx); err != nil || timestampOf(t, p) != timestampOf(t, busy) {
		t.Errorf("the end was not reached: %v", err)
	}
}

// restless is a ledger that moves on whenever its head was read.
type restless struct {
	publish.Ledger
	publish func()
}

func (r *restless) Head(ctx context.Context, name string) (store.Head, error) {
	h, err := r.Ledger.Head(ctx, name)
	r.publish()
	return h, err
}

// forgetful is a ledger that has lost its last heads.
type forgetful struct {
	publish.Ledger
	lost int64
}

func (f *forgetful) Head(ctx context.Context, name string) (store.Head, error) {
	h, err := f.Ledger.Head(ctx, name)
	h.Version -= f.lost
	return h, err
}

// TestUnpublishedChangeOfADeadReplicaIsPublished: whoever made it died before
// it was published; another one sees the number of changes rise.
func TestUnpublishedChangeOfADeadReplicaIsPublished(t *testing.T) {
	w, _ := ready(t)
	looked := make(chan struct{}, 1000)
	o := w.options(w.ledger, w.blobs)
	o.Turn, o.After = 10*time.Second, func(context.Context) error { looked <- struct{}{}; return nil }
	p, err := publish.Open(ctx, o)
	w.must(err)
	running, end := context.WithCancel(ctx)
	changes := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { p.Run(running) })
	var changed atomic.Int64
	f := p.Follower(func(context.Context) (int64, error) { return changed.Load(), nil })
	done.Go(func() { f.Run(running, changes) })
	<-looked // and found nothing to do; the next time by itself is in half a minute
	changes <- struct{}{}
	w.rollouts.set(rollout.Halted)
	changed.Add(1)
	for before := w.inStore(); bytes.Equal(w.inStore(), before); {
		select {
		case changes <- struct{}{}:
		case <-time.After(20 * time.Millisecond):
		}
	}
	end()
	done.Wait()
}

// away is a ledger that cannot be reached at times.
type away struct {
	publish.Ledger
	gone bool
}

func (a *away) Head(ctx context.Context, name string) (store.Head, error) {
	if a.gone {
		return store.Head{}, store.ErrUnavailable
	}
	return a.Ledger.Head(ctx, name)
}

// TestReplicaThatWasCutOffCatchesUp has no ledger for an hour in which others
// publish, and one for days in which old files are collected.
func TestReplicaThatWasCutOffCatchesUp(t *testing.T) {
	for _, absent := range []time.Duration{time.Hour, 5 * 24 * time.Hour} {
		w, _ := ready(t)
		link := &away{Ledger: w.ledger}
		a, b := w.replica(w.ledger, w.blobs), w.replica(link, w.blobs)
		link.gone = true
		before := timestampOf(t, b)
		for i := range 6 {
			w.advance(absent / 6)
			w.rollouts.state = []rollout.State{rollout.Halted, rollout.Active}[i%2]
			w.must(a.Publish(ctx))
			if _, err := b.Follow(ctx); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			if err := b.Publish(ctx); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("published without a ledger: %v", err)
			}
			if timestampOf(t, b) != before || string(w.inStore()) != timestampOf(t, a) {
				t.Fatal("what was verified last is not served on")
			}
		}
		link.gone = false
		ended := time.Now()
		if moved, err := b.Follow(ctx); err != nil || !moved || timestampOf(t, b) != timestampOf(t, a) {
			t.Errorf("moved %t, %v", moved, err)
		}
		w.rollouts.state = rollout.Halted
		w.must(b.Publish(ctx))
		if doc := w.read(); doc.Rollouts[0].State != rollout.Halted {
			t.Errorf("%+v", doc.Rollouts)
		}
		storetest.Recovered(t, fmt.Sprintf("a replica had no ledger for %s", absent), ended)
	}
}
