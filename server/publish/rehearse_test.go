package publish_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
)

// lockedOut demands that a submission is refused by the rehearsal, for that
// client and role, that nothing of it stays, and that the next one is taken.
func lockedOut(t *testing.T, make func(w *world) publish.Submission, client, role string) {
	t.Helper()
	w, p := ready(t)
	w.read()
	before := timestampOf(t, p)
	good := *w.makers // as far as the next good submission needs it
	s := make(w)
	_, err := submit(p, s)
	var locked *publish.LockedOut
	if !errors.As(err, &locked) || !strings.Contains(locked.Client, client) || !strings.Contains(locked.Role, role) {
		t.Fatalf("got %v", err)
	}
	if timestampOf(t, p) != before {
		t.Error("something was published")
	}
	for name := range s.Metadata {
		if _, _, err := w.blobs.Open(ctx, layout.MetadataDir+"/"+name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s was stored: %v", name, err)
		}
	}
	w.makers = &good
	w.rollouts.set("halted")
	w.must(w.start().Publish(ctx))
	w.read()
}

// TestWhatWouldLockHandsetsOutIsNotPublished submits, past every rule of the
// intake, what no client could follow.
func TestWhatWouldLockHandsetsOutIsNotPublished(t *testing.T) {
	for name, c := range map[string]struct {
		make         func(w *world) publish.Submission
		client, role string
	}{
		"root that old handsets cannot reach": {func(w *world) publish.Submission {
			w.makers.People = releasetest.New(w.t, w.keys).People
			return releasetest.Join(w.makers.Root(), w.makers.NextTargets())
		}, "up to date", "root"},
		"version jump of root": {func(w *world) publish.Submission {
			w.makers.RootVersion++
			return w.makers.Root()
		}, "handset", "root"},
		"threshold that cannot be met": {func(w *world) publish.Submission {
			return w.makers.Root(func(r *metadata.RootType) { r.Roles[metadata.TARGETS].Threshold = 3 })
		}, "up to date", "targets"},
		"expired releases": {func(w *world) publish.Submission {
			return w.makers.NextReleases(phone, func(s *metadata.TargetsType) { s.Expires = w.clock() })
		}, "every handset", "releases-phone"},
		"expired targets": {func(w *world) publish.Submission {
			return w.makers.NextTargets(func(s *metadata.TargetsType) { s.Expires = w.clock().Add(-time.Hour) })
		}, "every handset", "targets"},
		"expired root": {func(w *world) publish.Submission {
			return w.makers.Root(func(r *metadata.RootType) { r.Expires = w.clock().Add(-time.Hour) })
		}, "every handset", "root"},
		"delegation removed": {func(w *world) publish.Submission {
			return w.makers.NextTargets(func(s *metadata.TargetsType) { s.Delegations.Roles = s.Delegations.Roles[:1] })
		}, "new handset", "releases-phone"},
		"engineers that are not named": {func(w *world) publish.Submission {
			w.makers.Engineers = w.makers.People[:2]
			return w.makers.NextReleases(phone)
		}, "new handset", "releases-phone"},
		"name and version differ": {func(w *world) publish.Submission {
			s := w.makers.NextReleases(phone)
			out := map[string][]byte{}
			for name, data := range s.Metadata {
				out[strings.Replace(name, "3.", "7.", 1)] = data
			}
			return publish.Submission{Metadata: out}
		}, "new handset", "releases-phone"},
		"document of another build": {func(w *world) publish.Submission {
			s, path := w.makers.Add(w.makers.Release(44)), layout.ReleasePath(phone, 43)
			s = releasetest.Join(s, w.makers.NextReleases(phone, func(t *metadata.TargetsType) {
				t.Targets[path] = t.Targets[layout.ReleasePath(phone, 44)]
				delete(t.Targets, layout.ReleasePath(phone, 44))
			}))
			delete(s.Metadata, releasetest.MetadataName(layout.ReleasesRole(phone), 3))
			s.Targets = map[string][]byte{path: s.Targets[layout.ReleasePath(phone, 44)]}
			return s
		}, "new handset", "releases-phone"},
	} {
		t.Run(name, func(t *testing.T) { lockedOut(t, c.make, c.client, c.role) })
	}
}

func TestRoleDroppedFromSnapshotIsNotPublished(t *testing.T) {
	_, p := ready(t)
	var locked *publish.LockedOut
	role := layout.ReleasesRole(phone)
	if err := publish.RehearseWithout(ctx, p, role); !errors.As(err, &locked) || !strings.Contains(locked.Client, "up to date") {
		t.Errorf("a handset that knows the role: %v", err)
	}
	if err := publish.RehearseFresh(ctx, p, role); !errors.As(err, &locked) || locked.Role != role {
		t.Errorf("a new handset: %v", err)
	}
}

// Engineers of one product who are late must not keep others from publishing,
// and can themselves mend what they let expire.
func TestLateRoleDoesNotKeepOthersFromPublishing(t *testing.T) {
	w, p := ready(t)
	const watch = manifests.Product("watch")
	_, err := submit(p, w.makers.Product(watch))
	w.must(err)
	w.advance(121 * 24 * time.Hour)
	w.makers.Now = w.clock()
	for _, product := range []manifests.Product{watch, phone} {
		if _, err := submit(p, w.makers.NextReleases(product)); err != nil {
			t.Errorf("%s: %v", product, err)
		}
	}
	w.read()
}

func TestFiftyOldRootsAreRehearsed(t *testing.T) {
	w, p := ready(t)
	all := publish.Submission{Metadata: map[string][]byte{}}
	for range 50 {
		maps.Copy(all.Metadata, w.makers.Root().Metadata)
	}
	_, err := submit(p, all)
	w.must(err)
	w.read()
	began := time.Now()
	_, err = submit(p, w.makers.Root())
	w.must(err)
	t.Logf("a new root after fifty old ones: %v", time.Since(began))
	began = time.Now()
	_, err = submit(p, w.makers.Add(w.makers.Release(43)))
	w.must(err)
	t.Logf("a release after that: %v", time.Since(began))
	w.makers.People = releasetest.New(t, w.keys).People
	var locked *publish.LockedOut
	if _, err := submit(p, w.makers.Root()); !errors.As(err, &locked) {
		t.Errorf("got %v", err)
	}
}
