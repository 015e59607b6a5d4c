package ceremony

import (
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
)

// CheckPolicy applies the rules that join a new release to those that are
// live: its build is above all of them, and over every one that it may be
// installed on, its label, epoch and consent are those of a fair successor
// (manifests.Release.CheckSuccessor). Comparing with the newest alone would let
// an owner who skipped a build be widened upon without being asked.
func CheckPolicy(next manifests.Release, live []manifests.Release) error {
	for i := range live {
		before := &live[i]
		if next.Build <= before.Build {
			return fmt.Errorf("release: field \"build\": %d does not rise above %d, which is live; a rollback is a new, higher build too", next.Build, before.Build)
		}
		if !admits(next, *before) {
			continue
		}
		if err := next.CheckSuccessor(before); err != nil {
			return fmt.Errorf("release, compared with build %d that it may replace: %w", before.Build, err)
		}
	}
	return checkRollback(next, live)
}

// admits reports whether next may be installed over before: a model in common,
// the lowest build allowed, and for a rollback a build that it names.
func admits(next, before manifests.Release) bool {
	if next.Rollback != nil {
		return slices.Contains(next.Rollback.From, before.Build)
	}
	if before.Build < next.Compatible.MinBuild {
		return false
	}
	return slices.ContainsFunc(next.Compatible.Models, func(m manifests.Name) bool { return slices.Contains(before.Compatible.Models, m) })
}

// checkRollback holds a rollback to its word: the images of the build that it
// says it carries, where that build is still live.
func checkRollback(next manifests.Release, live []manifests.Release) error {
	if next.Rollback == nil {
		return nil
	}
	for _, old := range live {
		if old.Build != next.Rollback.Contents {
			continue
		}
		for _, image := range next.Images {
			same := func(m manifests.Image) bool { return m.Slot == image.Slot && m.SHA256 == image.SHA256 }
			if !slices.ContainsFunc(old.Images, same) {
				return fmt.Errorf("release: field \"rollback.contents\": image %s is not that of build %d", image.Slot, old.Build)
			}
		}
	}
	return nil
}
