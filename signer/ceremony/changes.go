package ceremony

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// rule is what a kind of proposal allows, and how it is told to people. Each
// kind has a file of its own.
type rule struct {
	check    func(*view, *Proposal) error
	describe func(*view, *Proposal) []string
}

// rules has the kinds that change who signs, or under which keys votes count.
var rules = map[Kind]rule{
	KindOnline:        {(*view).checkOnlineKeys, describeOnlineKeys},
	KindRootPeople:    {(*view).checkRootPeople, describeRootPeople},
	KindProductPeople: {(*view).checkProductPeople, describeProductPeople},
	KindRetire:        {(*view).checkRetire, describeRetire},

	KindReleasesRetire: {(*view).checkReleasesRetire, describeReleasesRetire},
	KindAdopt:          {(*view).checkAdopt, describeAdopt},
	KindSpare:          {(*view).checkSpareVotes, describeSpareVotes},
}

// baseRoot is the root that a proposal builds on.
func (v *view) baseRoot() *rootMeta { return v.roots[len(v.roots)-1] }

// expectRoot refuses a next root that is not the one before, one version higher,
// with another expiry and other rows for the named roles. Its table of keys must
// hold the keys of its roles and no others.
func (v *view) expectRoot(roles ...string) error {
	want, err := cloneRoot(v.baseRoot())
	if err != nil {
		return err
	}
	next := &v.root.Signed
	if next.Version != want.Signed.Version+1 {
		return fmt.Errorf("root: version %d must follow %d", next.Version, want.Signed.Version)
	}
	want.Signed.Version, want.Signed.Expires = next.Version, next.Expires
	for _, name := range roles {
		want.Signed.Roles[name] = next.Roles[name]
	}
	var ids []string
	for _, r := range want.Signed.Roles {
		ids = append(ids, r.KeyIDs...)
	}
	want.Signed.Keys = only(ids, next.Keys)
	return sameSigned(metadata.ROOT, want.Signed, *next)
}

// expectDelegation does the same for targets and one row of its delegations;
// without a role, only version and expiry may differ.
func (v *view) expectDelegation(role string) error {
	return v.expect(metadata.TARGETS, v.baseTargets, v.targets, func(want, next *metadata.TargetsType) error {
		if next.Delegations == nil || len(next.Delegations.Roles) != len(want.Delegations.Roles) {
			return errors.New("adds or drops a delegation")
		}
		var ids []string
		for i := range want.Delegations.Roles {
			if want.Delegations.Roles[i].Name == role && next.Delegations.Roles[i].Name == role {
				want.Delegations.Roles[i] = next.Delegations.Roles[i]
			}
			ids = append(ids, want.Delegations.Roles[i].KeyIDs...)
		}
		want.Delegations.Keys = only(ids, next.Delegations.Keys)
		return nil
	})
}

// only is a table with the keys of these ids. One that is missing from keys is
// missing from it.
func only(ids []string, keys map[string]*metadata.Key) map[string]*metadata.Key {
	out := map[string]*metadata.Key{}
	for _, id := range ids {
		if k, ok := keys[id]; ok {
			out[id] = k
		}
	}
	return out
}

func cloneRoot(m *rootMeta) (*rootMeta, error) {
	data, err := m.ToBytes(false)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	return readRoot(data)
}

// nextRoot is the next version of root, with rows and keys for some roles; keys
// that no role lists any more are gone from it.
func (s *State) nextRoot(rows map[string]*metadata.Role, keys map[string]*metadata.Key) (*rootMeta, error) {
	next, err := cloneRoot(s.root)
	if err != nil {
		return nil, err
	}
	r := &next.Signed
	r.Version++
	maps.Copy(r.Roles, rows)
	maps.Copy(r.Keys, keys)
	var ids []string
	for _, row := range r.Roles {
		ids = append(ids, row.KeyIDs...)
	}
	r.Keys = only(ids, r.Keys)
	return next, nil
}

// nextDelegation is the next version of targets, in which one row has other
// keys.
func (s *State) nextDelegation(role string, edit func(*metadata.DelegatedRole), keys map[string]*metadata.Key) (*targetsMeta, error) {
	next, err := cloneTargets(metadata.TARGETS, s.targets)
	if err != nil {
		return nil, err
	}
	next.Signed.Version++
	d := next.Signed.Delegations
	i := slices.IndexFunc(d.Roles, func(r metadata.DelegatedRole) bool { return r.Name == role })
	if i < 0 {
		return nil, fmt.Errorf("targets: no delegation to %s; `product add` makes one", role)
	}
	edit(&d.Roles[i])
	maps.Copy(d.Keys, keys)
	var ids []string
	for _, r := range d.Roles {
		ids = append(ids, r.KeyIDs...)
	}
	d.Keys = only(ids, d.Keys)
	return next, nil
}

// noSubject refuses a product or build where a proposal concerns none.
func noSubject(p *Proposal) error {
	if p.Product != "" || p.Build != manifests.Build(0) {
		return fmt.Errorf("a proposal of kind %s concerns no product and no build", p.Kind)
	}
	return nil
}
