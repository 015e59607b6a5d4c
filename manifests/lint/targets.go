package lint

import (
	"slices"

	"github.com/candor-ota/candor/manifests/layout"
)

// CheckTargets holds a targets role against the rules: no files, and
// delegations that are flat, terminating and disjoint, to the service for
// rollouts and to each product's engineers for its releases. root may be nil;
// what is shared with it is then not judged.
func CheckTargets(root, f *File, ours Ours) Findings {
	r := f.report()
	for _, path := range sorted(f.Targets) {
		r.add(place{RuleFiles, join("targets", path), nil}, makeAgain, "lists files (%s); it may only delegate", clip(path))
	}
	if !f.Delegates || len(f.Rows) == 0 {
		r.add(place{RuleDelegate, "delegations", nil}, makeAgain, "delegations must be a plain list of roles")
		return r.found
	}
	if f.Rows[0].Name != layout.RolloutsRole {
		r.add(place{RuleDelegate, f.Rows[0].field, f.Rows[0].Name}, makeAgain, "the first delegation must be %s", layout.RolloutsRole)
	}
	seen, offline := online{}, map[string]bool{}
	if root != nil {
		for _, row := range root.Rows {
			for _, id := range row.KeyIDs {
				if row.Name == roleRoot || row.Name == roleTargets {
					offline[id] = true
				} else {
					seen[id] = row.Name
				}
			}
		}
	}
	twice := map[string]bool{}
	for _, row := range f.Rows {
		if twice[row.Name] {
			r.add(place{RuleDelegate, row.field, row.Name}, "remove one of the two; a role has one delegator and one row", "two delegations to %s", clip(row.Name))
		}
		twice[row.Name] = true
		r.delegation(f, row, delegation{offline, seen, ours})
	}
	return r.found
}

// delegation is what a row is judged beside.
type delegation struct {
	offline map[string]bool // keys of root and targets
	seen    online
	ours    Ours
}

func (r *report) delegation(f *File, row Row, d delegation) {
	product, isReleases := layout.ReleasesRoleProduct(row.Name)
	pattern := layout.RolloutsPattern
	switch {
	case isReleases:
		pattern = layout.ReleasesPattern(product)
	case row.Name != layout.RolloutsRole:
		r.add(place{RuleDelegate, row.field, row.Name}, makeAgain, "role %q: only %s and %s are delegated", clip(row.Name), layout.RolloutsRole, layout.ReleasesRole("PRODUCT"))
		return
	}
	if !row.Terminating || !slices.Equal(row.Paths, []string{pattern}) {
		r.add(place{RuleDelegate, row.field, row.Paths}, makeAgain, "role %s must be terminating and answer for %s alone", row.Name, pattern)
	}
	if !isReleases {
		if len(row.KeyIDs) > 0 {
			if _, known := f.Keys[row.KeyIDs[0]]; !known {
				r.add(place{RuleKey, join(row.field, "keyids"), row.KeyIDs[0]}, makeAgain, "role %s: key %s is not in the table of keys", row.Name, short(row.KeyIDs[0]))
			}
		}
		r.online(row, d.seen, d.ours)
	}
	for _, id := range row.KeyIDs {
		if d.offline[id] {
			r.add(place{RuleShared, row.field, id}, "give the role keys of its own", "role %s: key %s is also a key of root or targets", row.Name, short(id))
		}
	}
	if !isReleases {
		return
	}
	for _, id := range row.KeyIDs {
		if role, ok := d.seen.of(id, d.ours); ok {
			r.add(place{RuleShared, row.field, id}, "use a key that never touches the server", "role %s: key %s is also the online key of %s", row.Name, short(id), role)
		}
	}
	r.people(f, row)
}
