package release

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
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
		if v.root != nil {
			if err := verifySigned(f.name, v.root, metadata.ROOT, next); err != nil {
				return err
			}
		}
		if err := verifySigned(f.name, next, metadata.ROOT, next); err != nil {
			return err
		}
		if !v.before(f) {
			if err := v.ours(f, next); err != nil {
				return err
			}
		}
		v.root = next
	}
	if v.root == nil {
		return refuse("1.root.json", "is missing; the first submission brings root and targets")
	}
	return v.rootLife()
}

// before tells whether a root is one of a chain that another tool made, which
// the first submission brings along. Handsets walk over it; our rules begin with
// its last.
func (v *verifier) before(f file) bool {
	return len(v.state.Roots) == 0 && slices.ContainsFunc(v.files, func(o file) bool { return o.role == metadata.ROOT && o.version > f.version })
}

// ours holds a root against our own rules.
func (v *verifier) ours(f file, next *rootMeta) error {
	if err := v.lintRoot(f.name, f.data); err != nil {
		return err
	}
	if v.root != nil {
		if err := shown(f.name, v.root, next); err != nil {
			return err
		}
	}
	return checkFresh(f.name, next.Signed.Expires, v.now)
}

// rootLife refuses a new root that would live longer than roots do. Those
// before it in a chain are only on the way.
func (v *verifier) rootLife() error {
	f, err := v.fileOfRoot()
	if err != nil || f == nil {
		return err
	}
	if f.Version <= int64(len(v.state.Roots)) {
		return nil
	}
	return refuseFirst(fmt.Sprintf("%d.root.json", f.Version), lint.CheckTimes(f, v.now))
}

// lintRoot applies the rules that proposals were held against, and demands that
// the online roles are signed by this server's keys.
func (v *verifier) lintRoot(name string, data []byte) error {
	f, found := lint.Read(metadata.ROOT, data)
	if f != nil {
		found = append(found, lint.CheckRoot(f, lint.Ours(v.online))...)
	}
	return refuseFirst(name, found)
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
		if err := v.lintTargets(f); err != nil {
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

// lintTargets applies the rules that proposals were held against: delegations
// only, flat, terminating, disjoint, and none of those that were there dropped.
func (v *verifier) lintTargets(f file) error {
	root, err := v.fileOfRoot()
	if err != nil {
		return err
	}
	next, found := lint.Read(metadata.TARGETS, f.data)
	if next != nil {
		found = append(found, lint.CheckTargets(root, next, lint.Ours(v.online))...)
	}
	if before, _ := lint.Read(metadata.TARGETS, v.state.Targets); before != nil && next != nil {
		found = append(found, lint.CheckNext(before, next)...)
	}
	if next != nil {
		found = append(found, v.stillDelegated(next)...)
		found = append(found, lint.CheckTimes(next, v.now)...)
	}
	return refuseFirst(f.name, found)
}

// stillDelegated refuses targets without a product that is published: also one
// that an earlier targets dropped.
func (v *verifier) stillDelegated(next *lint.File) lint.Findings {
	shown := &lint.File{Role: metadata.TARGETS}
	for p := range v.state.Releases {
		shown.Rows = append(shown.Rows, lint.Row{Name: layout.ReleasesRole(p)})
	}
	return lint.CheckNext(shown, next).Only(lint.RuleDropped)
}

func (v *verifier) fileOfRoot() (*lint.File, error) {
	data, err := v.root.ToBytes(false)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	f, _ := lint.Read(metadata.ROOT, data)
	return f, nil
}

// refuseFirst turns the first finding into a refusal.
func refuseFirst(name string, found lint.Findings) error {
	if len(found) == 0 {
		return nil
	}
	return refuse(name, "%s; %s", found[0].Says, found[0].Do)
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
