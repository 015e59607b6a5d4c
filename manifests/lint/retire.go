package lint

import (
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// Needed tells which live releases a product cannot do without, and why, in
// words: the newest build of each model, whatever a rollout offers now, and the
// stepping stones on the way there: builds that an older handset has to install
// first because a newer one's compatible.minBuild shuts it out.
func Needed(live []*manifests.Release, offered []manifests.Build) map[manifests.Build]string {
	out := map[manifests.Build]string{}
	need := func(b manifests.Build, format string, args ...any) {
		if out[b] == "" {
			out[b] = fmt.Sprintf(format, args...)
		}
	}
	byBuild := slices.SortedFunc(slices.Values(live), func(a, b *manifests.Release) int { return int(int64(b.Build) - int64(a.Build)) })
	if len(byBuild) > 0 {
		need(byBuild[0].Build, "it is the newest build")
	}
	tops := map[manifests.Build]*manifests.Release{}
	for _, r := range byBuild {
		if slices.Contains(offered, r.Build) {
			need(r.Build, "a rollout offers it")
			tops[r.Build] = r
		}
		for _, m := range r.Compatible.Models {
			if r.Rollback == nil && newestOf(byBuild, m) == r {
				need(r.Build, "it is the newest build for %s", m)
				tops[r.Build] = r
			}
		}
	}
	for _, b := range sorted(tops) {
		for _, m := range tops[b].Compatible.Models {
			for r := tops[b]; r != nil; {
				stone := stepTo(byBuild, r, m)
				if stone != nil {
					need(stone.Build, "handsets below build %d need it on their way to build %d", r.Compatible.MinBuild, r.Build)
				}
				r = stone
			}
		}
	}
	return out
}

// newestOf is the highest build of a model that is no rollback; list is sorted,
// the highest first.
func newestOf(list []*manifests.Release, model manifests.Name) *manifests.Release {
	i := slices.IndexFunc(list, func(r *manifests.Release) bool {
		return r.Rollback == nil && slices.Contains(r.Compatible.Models, model)
	})
	if i < 0 {
		return nil
	}
	return list[i]
}

// stepTo is the build that takes handsets which r shuts out to where r lets
// them in: the highest that is open to lower builds than r is.
func stepTo(list []*manifests.Release, r *manifests.Release, model manifests.Name) *manifests.Release {
	least := r.Compatible.MinBuild
	for _, s := range list {
		fits := s.Build >= least && s.Build < r.Build && s.Compatible.MinBuild < least
		if least > 0 && fits && s.Rollback == nil && slices.Contains(s.Compatible.Models, model) {
			return s
		}
	}
	return nil
}

// CheckRetirement refuses to retire a build that is not live, or that handsets
// need (see Needed).
func CheckRetirement(product manifests.Product, live []*manifests.Release, offered, gone []manifests.Build) Findings {
	r := &report{role: layout.ReleasesRole(product)}
	needed := Needed(live, offered)
	for i, b := range gone {
		p := place{RuleStone, index(layout.FieldRetires, i), b}
		switch isLive := slices.ContainsFunc(live, func(r *manifests.Release) bool { return r.Build == b }); {
		case !isLive:
			r.add(p, "name live builds", "build %d is not live, so it cannot be retired", b)
		case needed[b] != "":
			r.add(p, "leave it in the list until no handset needs it; a bad build is withdrawn, not retired", "build %d cannot be retired: %s", b, needed[b])
		}
	}
	return r.found
}
