package ceremony

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// ProductPeople says how the engineers of a product change.
type ProductPeople struct {
	Product manifests.Product
	Change  PeopleChange
	// Withdraw are builds that the new list of releases leaves out: what a thief
	// of the old keys may have signed.
	Withdraw []manifests.Build
	Now      time.Time
}

// ChangeEngineers proposes other engineers of a product, which root holders
// sign, and with it the list of releases, which the engineers of tomorrow sign:
// under the new table the old signatures may be too few, and handsets would
// find no release at all.
func ChangeEngineers(s *State, o ProductPeople) (*Proposal, error) {
	role := layout.ReleasesRole(o.Product)
	if o.Change.empty() {
		return nil, errors.New("nothing to change: say who joins, leaves or is replaced, or another threshold")
	}
	before, err := delegatedRole(s.targets, role)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{}
	people, threshold, err := o.Change.apply(before, done)
	if err != nil {
		return nil, err
	}
	if err := o.Change.missed(done, before); err != nil {
		return nil, err
	}
	ids, fields, table := row(people)
	targets, err := s.nextDelegation(role, func(r *metadata.DelegatedRole) {
		r.KeyIDs, r.Threshold, r.UnrecognizedFields = ids, threshold, fields
	}, table)
	if err != nil {
		return nil, err
	}
	targets.Signed.Expires = seconds(o.Now.Add(TargetsLife))
	releases, err := s.nextReleases(o.Product, o.Now, 0)
	if err != nil {
		return nil, err
	}
	for _, b := range o.Withdraw {
		path := layout.ReleasePath(o.Product, b)
		if _, ok := releases.Signed.Targets[path]; !ok {
			return nil, fmt.Errorf("%s build %d is not published, so it cannot be withdrawn", o.Product, b)
		}
		delete(releases.Signed.Targets, path)
	}
	dropSpare(&releases.Signed)
	p := newProposal(KindProductPeople, o.Now)
	p.Product, p.Base = o.Product, s.base(o.Product)
	return p.finish(part{metadata.TARGETS, targets.Signed}, part{role, releases.Signed})
}

func (v *view) checkProductPeople(p *Proposal) error {
	role := layout.ReleasesRole(p.Product)
	if p.Build != 0 {
		return fmt.Errorf("a proposal of kind %s concerns no build", p.Kind)
	}
	if err := v.expectDelegation(role); err != nil {
		return err
	}
	before, after, err := v.engineers(p)
	if err != nil {
		return err
	}
	if before.same(after) {
		return errors.New("changes no person and no threshold; `renew` signs the same again")
	}
	return v.expect(role, v.baseReleases, v.releases, func(want, next *metadata.TargetsType) error {
		maps.DeleteFunc(want.Targets, func(path string, _ *metadata.TargetFiles) bool { return next.Targets[path] == nil })
		return nil
	})
}

func (v *view) engineers(p *Proposal) (before, after roleTable, err error) {
	role := layout.ReleasesRole(p.Product)
	if before, err = delegatedRole(v.baseTargets, role); err == nil {
		after, err = delegatedRole(v.targets, role)
	}
	return before, after, err
}

func describeProductPeople(v *view, p *Proposal) []string {
	lines := []string{fmt.Sprintf("OTHER ENGINEERS OF %s, who sign its releases from now on:", p.Product)}
	before, after, err := v.engineers(p)
	if err != nil {
		return append(lines, err.Error())
	}
	lines = append(lines, describeChange(before, after)...)
	lines = append(lines, "The list of releases is signed anew by them. Whoever signs it vouches for every build in it:")
	role := layout.ReleasesRole(p.Product)
	signed, stay := v.signers(before, after)
	for i := range v.before {
		r := &v.before[i]
		if v.releases.Signed.Targets[layout.ReleasePath(p.Product, r.Build)] == nil {
			lines = append(lines, fmt.Sprintf("  WITHDRAWN: build %d, version %s", r.Build, r.Version))
			continue
		}
		line := fmt.Sprintf("  build %d, version %s: in the list that %s signed", r.Build, r.Version, joinNames(signed))
		if stay < before.threshold {
			line += fmt.Sprintf("; OF THESE ONLY %d STAY, so it rests on keys that go: compare it with your own images, or have it withdrawn", stay)
		}
		lines = append(lines, line)
	}
	lines = append(lines, v.strandsOf(p)...)
	return append(lines, fmt.Sprintf("Who added a build to %s before that is not in the published files; the audit log and your archive know.", role))
}

// signers names those whose signatures over the published list hold, and counts
// those of them who sign the next one with the same key.
func (v *view) signers(before, after roleTable) (names []string, stay int) {
	body, err := payload(v.baseReleases.Signed)
	if err != nil {
		return nil, 0
	}
	for _, s := range v.baseReleases.Signatures {
		key, ok := before.keys[s.KeyID]
		if !ok || !key.Verify(body, s.Signature) {
			continue
		}
		if slices.Contains(after.keyIDs, s.KeyID) {
			names = append(names, before.holderOf(s.KeyID))
			stay++
		} else {
			names = append(names, before.holderOf(s.KeyID)+" (WHOSE KEY GOES)")
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names, stay
}

// Leaving names the live releases that rest on keys which a proposal removes: in
// the list that vouches for them, fewer than the threshold of signatures are by
// people who stay. Empty for every other kind of proposal.
func (p *Proposal) Leaving() []manifests.Build {
	if p.Kind != KindProductPeople {
		return nil
	}
	before, after, err := p.view.engineers(p)
	if err != nil {
		return nil
	}
	if _, stay := p.view.signers(before, after); stay >= before.threshold {
		return nil
	}
	var out []manifests.Build
	for i := range p.view.before {
		if b := p.view.before[i].Build; p.view.releases.Signed.Targets[layout.ReleasePath(p.Product, b)] != nil {
			out = append(out, b)
		}
	}
	return out
}
