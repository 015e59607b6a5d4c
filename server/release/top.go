package release

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// roots follows the chain of roots: the first is believed if it signs itself,
// each later one is signed by the one before and by itself.
func (v *verifier) roots() error {
	for i, data := range v.state.Roots {
		root, err := parseRoot(fmt.Sprintf("%d.root.json", i+1), data)
		if err != nil {
			return err
		}
		v.root = root
	}
	for _, f := range v.files {
		if f.role != metadata.ROOT {
			continue
		}
		next, err := parseRoot(f.name, f.data)
		if err != nil {
			return err
		}
		want := int64(1)
		if v.root != nil {
			want = v.root.Signed.Version + 1
		}
		if next.Signed.Version != f.version || f.version != want {
			return refuse(f.name, "is version %d; the next root is version %d", next.Signed.Version, want)
		}
		if err := v.lintRoot(f.name, next); err != nil {
			return err
		}
		if v.root != nil {
			if err := verifySigned(f.name, v.root, metadata.ROOT, next); err != nil {
				return err
			}
		}
		if err := verifySigned(f.name, next, metadata.ROOT, next); err != nil {
			return err
		}
		if err := checkFresh(f.name, next.Signed.Expires, v.now); err != nil {
			return err
		}
		v.root = next
	}
	if v.root == nil {
		return refuse("1.root.json", "is missing; the first submission brings root and targets")
	}
	return nil
}

func (v *verifier) lintRoot(name string, m *rootMeta) error {
	s := &m.Signed
	if !s.ConsistentSnapshot || len(s.UnrecognizedFields) != 0 || len(s.Roles) != len(metadata.TOP_LEVEL_ROLE_NAMES) {
		return refuse(name, "must have consistent_snapshot, the four roles, and no field of its own")
	}
	if err := checkKeys(name, s.Keys); err != nil {
		return err
	}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		r := s.Roles[role]
		if r == nil {
			return refuse(name, "role %s is missing", role)
		}
		var err error
		if role == metadata.ROOT || role == metadata.TARGETS {
			err = checkPeople(name, role, r.KeyIDs, r.Threshold, s.Keys)
		} else {
			err = v.online.check(name, role, r.KeyIDs, r.Threshold)
		}
		if err != nil {
			return err
		}
	}
	for _, id := range slices.Concat(s.Roles[metadata.ROOT].KeyIDs, s.Roles[metadata.TARGETS].KeyIDs) {
		if v.online.hold(id) {
			return refuse(name, "an online key of this server signs for people")
		}
	}
	return nil
}

// targets takes the submitted targets role, or holds the published one against
// a new root.
func (v *verifier) targets() error {
	old := v.state.Targets
	if old != nil {
		var err error
		if v.delegations, err = parseTargets("targets", old); err != nil {
			return err
		}
	}
	for _, f := range v.files {
		if f.role != metadata.TARGETS {
			continue
		}
		next, err := parseTargets(f.name, f.data)
		if err != nil {
			return err
		}
		if err := v.rises(f, next, v.delegations); err != nil {
			return err
		}
		if err := v.lintTargets(f.name, next); err != nil {
			return err
		}
		v.delegations = next
	}
	if v.delegations == nil {
		return refuse("1.targets.json", "is missing; the first submission brings root and targets")
	}
	return verifySigned(v.nameOf(metadata.TARGETS), v.root, metadata.TARGETS, v.delegations)
}

// rises refuses a targets file that is not what its name says, not newer than
// the published one, or expired.
func (v *verifier) rises(f file, next, before *targetsMeta) error {
	if next.Signed.Version != f.version {
		return refuse(f.name, "is signed as version %d", next.Signed.Version)
	}
	if before != nil && f.version <= before.Signed.Version {
		return refuse(f.name, "version %d does not rise above %d, which is published", f.version, before.Signed.Version)
	}
	return checkFresh(f.name, next.Signed.Expires, v.now)
}

// lintTargets demands delegations only: flat, terminating, disjoint, and none
// of those that were there dropped.
func (v *verifier) lintTargets(name string, m *targetsMeta) error {
	s := &m.Signed
	d := s.Delegations
	if len(s.Targets) != 0 || len(s.UnrecognizedFields) != 0 {
		return refuse(name, "lists files or has a field of its own; it may only delegate")
	}
	if d == nil || d.SuccinctRoles != nil || len(d.UnrecognizedFields) != 0 {
		return refuse(name, "delegations must be a plain list of roles")
	}
	if err := checkKeys(name, d.Keys); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, r := range d.Roles {
		if seen[r.Name] {
			return refuse(name, "two delegations to %s", r.Name)
		}
		seen[r.Name] = true
		if err := v.lintDelegation(name, d, r); err != nil {
			return err
		}
	}
	if !seen[layout.RolloutsRole] {
		return refuse(name, "does not delegate to %s", layout.RolloutsRole)
	}
	for p := range v.state.Releases {
		if !seen[layout.ReleasesRole(p)] {
			return refuse(name, "drops %s; a role never leaves the snapshot, retire a product by withdrawing its releases", layout.ReleasesRole(p))
		}
	}
	return nil
}

func (v *verifier) lintDelegation(name string, d *metadata.Delegations, r metadata.DelegatedRole) error {
	product, isReleases := layout.ReleasesRoleProduct(r.Name)
	pattern := layout.RolloutsPattern
	if isReleases {
		pattern = layout.ReleasesPattern(product)
	} else if r.Name != layout.RolloutsRole {
		return refuse(name, "delegates to %q; only %s and %s are known", r.Name, layout.RolloutsRole, layout.ReleasesRole("PRODUCT"))
	}
	if !r.Terminating || len(r.PathHashPrefixes) != 0 || !slices.Equal(r.Paths, []string{pattern}) {
		return refuse(name, "role %s must be terminating and answer for %s alone", r.Name, pattern)
	}
	if !isReleases {
		return v.online.check(name, r.Name, r.KeyIDs, r.Threshold)
	}
	if err := checkPeople(name, r.Name, r.KeyIDs, r.Threshold, d.Keys); err != nil {
		return err
	}
	for _, id := range r.KeyIDs {
		for role, held := range v.root.Signed.Roles {
			if slices.Contains(held.KeyIDs, id) {
				return refuse(name, "role %s: key %.12s is also a key of %s; use a key of its own", r.Name, id, role)
			}
		}
		if v.online.hold(id) {
			return refuse(name, "role %s: key %.12s is an online key", r.Name, id)
		}
	}
	return nil
}

// nameOf is the submitted file of a role, or the role where the published one
// is meant.
func (v *verifier) nameOf(role string) string {
	for _, f := range v.files {
		if f.role == role {
			return f.name
		}
	}
	return role
}

// published tells whether a role stands in the tree with these very bytes.
func (v *verifier) published(f file) bool {
	switch f.role {
	case metadata.ROOT:
		return f.version >= 1 && f.version <= int64(len(v.state.Roots)) && bytes.Equal(v.state.Roots[f.version-1], f.data)
	case metadata.TARGETS:
		return bytes.Equal(v.state.Targets, f.data)
	}
	p, ok := layout.ReleasesRoleProduct(f.role)
	return ok && v.state.Releases[p] != nil && bytes.Equal(v.state.Releases[p], f.data)
}

func known(role string) bool {
	_, ok := layout.ReleasesRoleProduct(role)
	return ok || role == metadata.ROOT || role == metadata.TARGETS
}

// products are the delegated ones.
func (v *verifier) products() []manifests.Product {
	var out []manifests.Product
	for _, r := range v.delegations.Signed.Delegations.Roles {
		if p, ok := layout.ReleasesRoleProduct(r.Name); ok {
			out = append(out, p)
		}
	}
	return out
}
