package release_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
)

// retire signs a product's role without builds, and with its word about them.
func (w *world) retire(named []manifests.Build, gone ...manifests.Build) publish.Submission {
	return w.NextReleases(phone, func(s *metadata.TargetsType) {
		list := []any{}
		for _, b := range named {
			list = append(list, int64(b))
		}
		s.UnrecognizedFields[layout.FieldRetires] = list
		for _, b := range gone {
			delete(s.Targets, layout.ReleasePath(phone, b))
		}
	})
}

func builds(list ...manifests.Build) []manifests.Build { return list }

// What leaves the list is archived with its proof, as what it left as; a build
// that left does not come back.
func TestReleasesThatLeaveAreArchived(t *testing.T) {
	w := ready(t, 41, 42, 43)
	w.must(w.submit(w.retire(builds(41), 41)))
	w.must(w.submit(w.Withdraw(phone, 42)))
	for build, want := range map[manifests.Build]struct {
		how   layout.Left
		state store.ReleaseState
	}{41: {layout.Retired, store.ReleaseRetired}, 42: {layout.Withdrawn, store.ReleaseWithdrawn}} {
		r, err := w.ledger.Release(ctx, vote.Ref{Product: phone, Build: build})
		if w.must(err); r.State != want.state {
			t.Errorf("build %d is %s", build, r.State)
		}
		data, _, err := w.blobs.Load(ctx, layout.ArchiveFile(phone, build, want.how))
		w.must(err)
		a, err := archive.Parse(data)
		w.must(err)
		files := 0
		for path := range a.Live {
			if strings.HasPrefix(path, "targets/releases/") {
				files++
			}
		}
		if a.Build != build || files != 1 || a.Live[layout.TimestampFile] == nil || a.Live["metadata/1.root.json"] == nil || len(a.Gone) != 1 {
			t.Errorf("build %d: %d documents, gone by %d files", build, files, len(a.Gone))
		}
	}
	var refused *release.Refusal
	if err := w.submit(w.Add(w.Release(44))); err != nil {
		t.Error(err)
	}
	w.Releases[phone].Signed.Targets = map[string]*metadata.TargetFiles{}
	if err := w.submit(w.Add(w.Release(41))); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "retired") {
		t.Errorf("a retired build: %v", err)
	}
}

func TestRetiringWhatIsNeededRefused(t *testing.T) {
	shut := func(r *manifests.Release) { r.Compatible.MinBuild = 42 }
	for name, c := range map[string]struct {
		make func(w *world) publish.Submission
		word string
	}{
		"the newest":       {func(w *world) publish.Submission { return w.retire(builds(43), 43) }, "newest"},
		"a stepping stone": {func(w *world) publish.Submission { return w.retire(builds(42), 42) }, "on their way"},
		"what stays":       {func(w *world) publish.Submission { return w.retire(builds(41)) }, "is live"},
		"what was not":     {func(w *world) publish.Submission { return w.retire(builds(40), 41) }, "not live"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t, 41, 42)
			w.must(w.submit(w.Add(w.Release(43, shut))))
			var refused *release.Refusal
			if err := w.submit(c.make(w)); !errors.As(err, &refused) || !strings.Contains(refused.Reason, c.word) {
				t.Errorf("got %v", err)
			}
			if _, err := w.blobs.Stat(ctx, layout.ArchiveFile(releasetest.Phone, 43, layout.Retired)); err == nil {
				t.Error("something was archived")
			}
		})
	}
}
