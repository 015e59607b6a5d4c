package ceremony

import (
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// Stranding is a set of handsets that lose their way up with a build.
type Stranding struct {
	Model manifests.Name  `json:"model"`
	From  manifests.Build `json:"from"` // they run a build from here
	To    manifests.Build `json:"to"`   // up to here
	Reach manifests.Build `json:"reach"`
	Left  manifests.Build `json:"left"` // the highest that is left to them; 0: none
}

// String says it to people.
func (s Stranding) String() string {
	words := fmt.Sprintf("handsets of model %s on builds %d to %d come to build %d only by way of it", s.Model, s.From, s.To, s.Reach)
	if s.Left == 0 {
		return words + "; nothing else that is live installs on them"
	}
	return fmt.Sprintf("%s; without it they end at build %d", words, s.Left)
}

// Strands tells which handsets could no longer come to a higher build if one
// were withdrawn: those for which it is the stepping stone between what they
// run and a release whose minBuild is above that. That the withdrawn build
// itself is out of reach afterwards is what withdrawing is for.
func Strands(live []manifests.Release, gone ...manifests.Build) []Stranding {
	out := []Stranding{}
	for _, model := range modelsOf(live) {
		with := slices.DeleteFunc(slices.Clone(live), func(r manifests.Release) bool { return !slices.Contains(r.Compatible.Models, model) })
		without := slices.DeleteFunc(slices.Clone(with), func(r manifests.Release) bool { return slices.Contains(gone, r.Build) })
		starts := startsOf(with)
		for i, from := range starts {
			reach, left := highest(with, from), highest(without, from)
			if reach <= left || slices.Contains(gone, reach) {
				continue
			}
			to := from
			if i+1 < len(starts) {
				to = starts[i+1] - 1
			}
			if n := len(out); n > 0 && out[n-1].Model == model && out[n-1].To+1 == from && out[n-1].Reach == reach && out[n-1].Left == left {
				out[n-1].To = to
				continue
			}
			out = append(out, Stranding{Model: model, From: from, To: to, Reach: reach, Left: left})
		}
	}
	return out
}

func modelsOf(live []manifests.Release) []manifests.Name {
	var all []manifests.Name
	for _, r := range live {
		all = append(all, r.Compatible.Models...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// startsOf gives the lowest build of each range of builds from which the same
// releases install.
func startsOf(live []manifests.Release) []manifests.Build {
	starts := []manifests.Build{1}
	for _, r := range live {
		starts = append(starts, r.Build, r.Build+1)
		if r.Compatible.MinBuild > 0 {
			starts = append(starts, r.Compatible.MinBuild)
		}
		if r.Rollback != nil {
			for _, b := range r.Rollback.From {
				starts = append(starts, b, b+1)
			}
		}
	}
	slices.Sort(starts)
	return slices.Compact(starts)
}

// highest gives the highest build that handsets come to, in as many steps as it
// takes; 0 if nothing installs.
func highest(live []manifests.Release, from manifests.Build) manifests.Build {
	seen := map[manifests.Build]bool{}
	var best manifests.Build
	var walk func(manifests.Build)
	walk = func(at manifests.Build) {
		for _, r := range live {
			if r.Build <= at || r.Compatible.MinBuild > at || seen[r.Build] || r.Rollback != nil && !slices.Contains(r.Rollback.From, at) {
				continue
			}
			seen[r.Build] = true
			best = max(best, r.Build)
			walk(r.Build)
		}
	}
	walk(from)
	return best
}

// Strands tells who would lose the way up if builds of a product were withdrawn.
func (s *State) Strands(product manifests.Product, gone ...manifests.Build) ([]Stranding, error) {
	live, err := s.Releases(product)
	if err != nil {
		return nil, err
	}
	return Strands(live, gone...), nil
}

// strandsOf warns, in words, of what a proposal does to handsets on older builds.
func (v *view) strandsOf(p *Proposal) []string {
	var gone []manifests.Build
	for i := range v.before {
		if b := v.before[i].Build; v.releases != nil && v.releases.Signed.Targets[layout.ReleasePath(p.Product, b)] == nil {
			gone = append(gone, b)
		}
	}
	lines := []string{}
	for _, s := range Strands(v.before, gone...) {
		lines = append(lines, "  STRANDS HANDSETS: "+s.String())
	}
	return lines
}
