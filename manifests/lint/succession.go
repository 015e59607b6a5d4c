package lint

import (
	"bytes"
	"errors"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// CheckDocument reads a release document and reports all that it says wrong
// about itself: images, notBefore and offerUntil, pace, urgency, texts, label,
// rollback and votes. The release is nil if it could not be read.
func CheckDocument(path string, data []byte) (*manifests.Release, Findings) {
	r := &report{role: path}
	const do = "mend the release's YAML, build it again, and sign it anew"
	note := func(err error) {
		var field *strict.FieldError
		p := place{rule: RuleDocument}
		if errors.As(err, &field) {
			p.field = field.Path
		}
		r.add(p, do, "%v", err)
	}
	var release manifests.Release
	if err := strict.Decode(data, manifests.MaxReleaseBytes, &release); err != nil {
		note(err)
		return nil, r.found
	}
	for _, err := range release.Problems() {
		note(err)
	}
	if form, err := release.Canonical(); err != nil || !bytes.Equal(form, data) {
		r.add(place{rule: RuleDocument}, do, "is not in the one form that is signed (order of fields, white space)")
	}
	return &release, r.found
}

// Admits tells whether next may be installed over before: a model in common,
// the lowest build allowed, and for a rollback a build that it names.
func Admits(next, before *manifests.Release) bool {
	if next.Rollback != nil {
		return slices.Contains(next.Rollback.From, before.Build)
	}
	if before.Build < next.Compatible.MinBuild {
		return false
	}
	return slices.ContainsFunc(next.Compatible.Models, func(m manifests.Name) bool { return slices.Contains(before.Compatible.Models, m) })
}

// CheckSuccession applies the rules that join a new release to those that are
// live: its build is above all of them, and over every one that it may be
// installed on, its label, epoch and consent are those of a fair successor
// (manifests.Release.CheckSuccessor). Comparing with the newest alone would let
// an owner who skipped a build be widened upon without being asked. live may
// hold next itself and higher builds; they are passed over.
func CheckSuccession(path string, next *manifests.Release, live []*manifests.Release, isNew bool) Findings {
	r := &report{role: path}
	for _, before := range live {
		if next.Build <= before.Build {
			if isNew {
				r.add(place{RuleRising, "build", next.Build}, "give it a number above all live ones", "release: field \"build\": build %d does not rise above %d, which is live; a rollback is a new, higher build too", next.Build, before.Build)
			}
			continue
		}
		if !Admits(next, before) {
			continue
		}
		if err := next.CheckSuccessor(before); err != nil {
			p := place{rule: RuleFollows}
			var field *strict.FieldError
			if errors.As(err, &field) {
				p.field = field.Path
			}
			r.add(p, "say in privacy.change what is new and ask with consent.required, or take it out; raise the epoch by one at most",
				"release, compared with build %d that it may replace: %v", before.Build, err)
		}
	}
	r.rollback(next, live)
	return r.found
}

// rollback holds a rollback to its word: the images of the build that it says
// it carries, where that build is still live.
func (r *report) rollback(next *manifests.Release, live []*manifests.Release) {
	if next.Rollback == nil {
		return
	}
	for _, old := range live {
		if old.Build != next.Rollback.Contents {
			continue
		}
		for _, image := range next.Images {
			same := func(m manifests.Image) bool { return m.Slot == image.Slot && m.SHA256 == image.SHA256 }
			if !slices.ContainsFunc(old.Images, same) {
				r.add(place{RuleRollback, "rollback.contents", old.Build}, "build it from the images of that build", "release: field \"rollback.contents\": image %s is not that of build %d", image.Slot, old.Build)
			}
		}
	}
}
