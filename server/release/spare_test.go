package release_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
)

func listing(builds ...manifests.Build) func(*metadata.TargetsType) {
	return func(s *metadata.TargetsType) {
		s.UnrecognizedFields = layout.WithSpareVotes(s.UnrecognizedFields, builds)
	}
}

func TestVotesMoveToSpareKeysByTheEngineersWord(t *testing.T) {
	w := ready(t, 41, 42)
	if len(w.spare) != 0 {
		t.Fatalf("moved before anybody said so: %v", w.spare)
	}
	w.must(w.submit(w.NextReleases(phone, listing(42))))
	if want := (vote.Ref{Product: phone, Build: 42}); !slices.Contains(w.spare, want) || slices.Contains(w.spare, vote.Ref{Product: phone, Build: 41}) {
		t.Errorf("moved are %v", w.spare)
	}
	for name, c := range map[string]struct {
		edit func(*metadata.TargetsType)
		why  string
	}{
		"moved back":           {listing(), "do not go back"},
		"another in its place": {listing(41), "do not go back"},
		"what is not signed":   {listing(42, 99), "not among the signed"},
		"out of order": {func(s *metadata.TargetsType) {
			s.UnrecognizedFields[layout.FieldSpare] = []any{42.0, 41.0}
		}, "rising order"},
		"nothing": {func(s *metadata.TargetsType) { s.UnrecognizedFields[layout.FieldSpare] = []any{} }, "left out"},
	} {
		if err := w.submit(w.NextReleases(phone, c.edit)); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.must(w.submit(w.NextReleases(phone, listing(41, 42))))
	w.must(w.submit(w.NextReleases(phone, func(s *metadata.TargetsType) {
		delete(s.Targets, layout.ReleasePath(phone, 42))
		listing(41)(s)
	})))
}
