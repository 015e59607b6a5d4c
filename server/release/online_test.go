package release_test

import (
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
)

func TestNewOnlineKeysAreTakenWhileTheServerRuns(t *testing.T) {
	w := ready(t, 42)
	set, err := publish.CreateSet(w.dir)
	w.must(err)
	w.must(w.submit(w.Rotate(set.Keys)))
	w.must(w.submit(w.Add(w.Release(43))))
	if _, _, err := w.intake.Live(ctx, vote.Ref{Product: phone, Build: 43}); err != nil {
		t.Error(err)
	}
}

func TestKeysOfAnotherServerAreRefused(t *testing.T) {
	w := ready(t)
	foreign, err := publish.CreateKeys(t.TempDir())
	w.must(err)
	err = w.submit(w.Rotate(foreign))
	if err == nil || !strings.Contains(err.Error(), "keys new") {
		t.Errorf("got %v", err)
	}
}

// Rotating one key alone leaves what a thief of the others has done.
func TestOnlineKeysAreReplacedTogether(t *testing.T) {
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP, layout.RolloutsRole} {
		w := ready(t)
		old, err := publish.LoadKeys(w.dir)
		w.must(err)
		set, err := publish.CreateSet(w.dir)
		w.must(err)
		key, err := old.Key(role)
		w.must(err)
		id, err := old.ID(role)
		w.must(err)
		w.Rotate(set.Keys) // what follows is it, but for one role
		w.RootVersion--
		w.Targets.Signed.Version--
		var s publish.Submission
		if role == layout.RolloutsRole {
			s = releasetest.Join(w.Root(), w.NextTargets(func(m *metadata.TargetsType) {
				m.Delegations.Roles[0].KeyIDs, m.Delegations.Keys[id] = []string{id}, key
			}))
		} else {
			s = releasetest.Join(w.NextTargets(), w.Root(func(r *metadata.RootType) {
				delete(r.Keys, r.Roles[role].KeyIDs[0])
				r.Roles[role].KeyIDs, r.Keys[id] = []string{id}, key
			}))
		}
		if err := w.submit(s); err == nil || !strings.Contains(err.Error(), "replaced together") {
			t.Errorf("the old key of %s: %v", role, err)
		}
	}
}
