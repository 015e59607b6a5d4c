package ceremony

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// checkChange refuses a proposal that changes anything but what its kind says.
// The old metadata is edited as the kind allows, and must then equal the new.
func (v *view) checkChange(p *Proposal) error {
	if r, ok := rules[p.Kind]; ok {
		return r.check(v, p)
	}
	role := layout.ReleasesRole(p.Product)
	switch p.Kind {
	case KindInit:
		return v.checkInit(p)
	case KindProduct:
		return v.checkProduct(p, role)
	case KindRelease, KindWithdraw:
		path := layout.ReleasePath(p.Product, p.Build)
		return v.expect(role, v.baseReleases, v.releases, func(want, next *metadata.TargetsType) error {
			_, was := want.Targets[path]
			target, is := next.Targets[path]
			switch {
			case p.Kind == KindRelease && was:
				return fmt.Errorf("build %d is published already; a new release needs a higher build", p.Build)
			case p.Kind == KindRelease && !is:
				return fmt.Errorf("does not list %s", path)
			case p.Kind == KindRelease:
				want.Targets[path] = target
			case !was:
				return fmt.Errorf("build %d is not published, so it cannot be withdrawn", p.Build)
			default:
				delete(want.Targets, path)
			}
			return nil
		})
	default:
		return v.checkRenew(p, role)
	}
}

func (v *view) checkInit(p *Proposal) error {
	if p.Product != "" || p.Build != 0 || v.root.Signed.Version != 1 || v.targets.Signed.Version != 1 {
		return errors.New("init signs version 1 of root and targets, and no product")
	}
	if n := len(v.targets.Signed.Delegations.Roles); n != 1 {
		return fmt.Errorf("targets: init delegates to %s alone, this delegates to %d roles", layout.RolloutsRole, n)
	}
	return nil
}

func (v *view) checkProduct(p *Proposal, role string) error {
	if v.baseReleases != nil || p.Build != 0 {
		return errors.New("a new product has no releases yet")
	}
	if v.releases.Signed.Version != 1 || len(v.releases.Signed.Targets) != 0 {
		return fmt.Errorf("%s: starts with version 1 and no release", role)
	}
	return v.expect(metadata.TARGETS, v.baseTargets, v.targets, func(want, next *metadata.TargetsType) error {
		last := next.Delegations.Roles[len(next.Delegations.Roles)-1]
		if last.Name != role {
			return fmt.Errorf("the last delegation is %s instead of %s", last.Name, role)
		}
		want.Delegations.Roles = append(want.Delegations.Roles, last)
		for _, id := range last.KeyIDs {
			want.Delegations.Keys[id] = next.Delegations.Keys[id]
		}
		return nil
	})
}

func (v *view) checkRenew(p *Proposal, role string) error {
	none := func(_, _ *metadata.TargetsType) error { return nil }
	switch {
	case p.Build != 0:
		return errors.New("renewing concerns no build")
	case p.Product != "":
		return v.expect(role, v.baseReleases, v.releases, none)
	case v.targets != v.baseTargets:
		return v.expect(metadata.TARGETS, v.baseTargets, v.targets, none)
	}
	old, next := v.roots[len(v.roots)-1].Signed, v.root.Signed
	if next.Version != old.Version+1 {
		return fmt.Errorf("root: version %d must follow %d", next.Version, old.Version)
	}
	old.Version, old.Expires = next.Version, next.Expires
	return sameSigned(metadata.ROOT, old, next)
}

// expect refuses next unless it is base, one version higher, with another
// expiry and next-by, and otherwise only what edit did to it.
func (v *view) expect(role string, base, next *targetsMeta, edit func(want, next *metadata.TargetsType) error) error {
	if base == nil {
		return fmt.Errorf("%s: not published yet; `product add` comes first", role)
	}
	want, err := cloneTargets(role, base)
	if err != nil {
		return err
	}
	if next.Signed.Version != want.Signed.Version+1 {
		return fmt.Errorf("%s: version %d must follow %d", role, next.Signed.Version, want.Signed.Version)
	}
	want.Signed.Version, want.Signed.Expires = next.Signed.Version, next.Signed.Expires
	if by, ok := next.Signed.UnrecognizedFields[nextByField]; ok {
		want.Signed.UnrecognizedFields = layout.WithSpareVotes(map[string]any{nextByField: by}, keptSpare(&want.Signed))
	}
	if err := edit(&want.Signed, &next.Signed); err != nil {
		return fmt.Errorf("%s: %w", role, err)
	}
	dropSpare(&want.Signed)
	return sameSigned(role, want.Signed, next.Signed)
}

func sameSigned(role string, want, next any) error {
	a, err := payload(want)
	if err != nil {
		return err
	}
	b, err := payload(next)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("%s: changes more than a proposal of its kind may; make the proposal again", role)
	}
	return nil
}

func cloneTargets(role string, m *targetsMeta) (*targetsMeta, error) {
	data, err := m.ToBytes(false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return readTargets(role, data)
}

// readDocuments checks the new target file of a release, and that no other
// proposal carries one.
func (v *view) readDocuments(p *Proposal) error {
	if p.Kind != KindRelease {
		if len(p.Documents) != 0 {
			return fmt.Errorf("a proposal of kind %s carries no documents", p.Kind)
		}
		return nil
	}
	if len(p.Documents) != 1 || p.Documents[0].Path != layout.ReleasePath(p.Product, p.Build) {
		return fmt.Errorf("must carry %s and no other document", layout.ReleasePath(p.Product, p.Build))
	}
	release, err := readDocument(p.Product, v.releases, p.Documents[0])
	if err != nil {
		return err
	}
	v.release = &release
	return CheckPolicy(release, v.before)
}
