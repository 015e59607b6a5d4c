package ceremony

import (
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// SpareVotes proposes that votes on a build be cast and counted under the spare
// keys that its release signs. The service's word alone moves no handset there:
// it could send one handset to other keys than all the rest, and know its votes.
// It is for after a leak of the service's vote master or a restore of its
// ledger, and for good.
func SpareVotes(s *State, product manifests.Product, build manifests.Build, now time.Time) (*Proposal, error) {
	live, err := s.Releases(product)
	if err != nil {
		return nil, err
	}
	next, err := s.nextReleases(product, now, 0)
	if err != nil {
		return nil, err
	}
	if next.Signed.UnrecognizedFields, err = withSpare(&next.Signed, live, build); err != nil {
		return nil, err
	}
	p := newProposal(KindSpare, now)
	p.Product, p.Build, p.Base = product, build, s.base(product)
	return p.finish(part{layout.ReleasesRole(product), next.Signed})
}

// withSpare gives the fields of a product's role with one build more.
func withSpare(s *metadata.TargetsType, live []manifests.Release, build manifests.Build) (map[string]any, error) {
	i := slices.IndexFunc(live, func(r manifests.Release) bool { return r.Build == build })
	builds := keptSpare(s)
	switch {
	case i < 0:
		return nil, fmt.Errorf("build %d is not published; its votes ended when it was withdrawn", build)
	case live[i].Votes.Spare == nil:
		return nil, fmt.Errorf("build %d takes no votes", build)
	case slices.Contains(builds, build):
		return nil, fmt.Errorf("votes on build %d are under its spare keys already, and there is no third set: sign a new build", build)
	}
	builds = append(builds, build)
	slices.Sort(builds)
	return layout.WithSpareVotes(s.UnrecognizedFields, builds), nil
}

func (v *view) checkSpareVotes(p *Proposal) error {
	return v.expect(layout.ReleasesRole(p.Product), v.baseReleases, v.releases, func(want, _ *metadata.TargetsType) (err error) {
		want.UnrecognizedFields, err = withSpare(want, v.before, p.Build)
		return err
	})
}

func describeSpareVotes(_ *view, p *Proposal) []string {
	return []string{
		fmt.Sprintf("SPARE VOTE KEYS: votes on %s build %d are cast and counted under the spare keys of its release, for good.", p.Product, p.Build),
		"For after a leak of the service's vote keys or a restore of its ledger. What was counted until then counts no more;",
		"a handset does not say again what was acknowledged. The release itself, and who may install it, stay as they are.",
	}
}

// keptSpare gives the builds whose votes are under their spare keys; none where
// the field cannot be read, which lint says.
func keptSpare(s *metadata.TargetsType) []manifests.Build {
	builds, err := layout.SpareVotes(s.UnrecognizedFields)
	if err != nil {
		return nil
	}
	return builds
}

// dropSpare leaves out builds that are signed no more.
func dropSpare(s *metadata.TargetsType) {
	kept := keptSpare(s)
	if len(kept) == 0 {
		return
	}
	signed := map[manifests.Build]bool{}
	for path := range s.Targets {
		if _, b, err := layout.ParseReleasePath(path); err == nil {
			signed[b] = true
		}
	}
	kept = slices.DeleteFunc(kept, func(b manifests.Build) bool { return !signed[b] })
	s.UnrecognizedFields = layout.WithSpareVotes(s.UnrecognizedFields, kept)
}
