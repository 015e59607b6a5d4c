package ceremony

import (
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// side says for whom the signatures of a table speak.
type side int

const (
	sideAfter  side = iota // those who sign the role once the proposal is published
	sideBefore             // those who sign root now
	sideNew                // those who are new in the role
)

// findTables looks up who has to sign each role: a threshold of those who sign
// it from now on; for root also a threshold of those who sign it now; and
// everybody who is new to the role. A key that was mistaken, or that its person
// cannot use, would otherwise be found out on the day when it is needed.
func (v *view) findTables() error {
	for _, r := range v.roles {
		after, err := v.tableAfter(r.name)
		if err != nil {
			return err
		}
		r.tables = []roleTable{after}
		if v.adopts {
			if err := v.adoptTables(r, after); err != nil {
				return err
			}
			continue
		}
		before, ok, err := v.tableBefore(r.name)
		if err != nil {
			return err
		}
		if ok && r.name == metadata.ROOT {
			before.whose = sideBefore
			r.tables = append(r.tables, before)
		}
		if fresh := newcomers(before, after); ok && len(fresh.keyIDs) > 0 {
			r.tables = append(r.tables, fresh)
		}
	}
	return nil
}

func (v *view) tableAfter(role string) (roleTable, error) {
	if role == metadata.ROOT || role == metadata.TARGETS {
		return rootRole(v.root, role)
	}
	return delegatedRole(v.targets, role)
}

// tableBefore is the row of a role as published; false if there is none.
func (v *view) tableBefore(role string) (roleTable, bool, error) {
	if role == metadata.ROOT || role == metadata.TARGETS {
		if len(v.roots) == 0 {
			return roleTable{}, false, nil
		}
		t, err := rootRole(v.baseRoot(), role)
		return t, true, err
	}
	if v.baseReleases == nil {
		return roleTable{}, false, nil
	}
	t, err := delegatedRole(v.baseTargets, role)
	return t, true, err
}

// newcomers is a table of the keys in after that are not in before; all of them
// have to sign.
func newcomers(before, after roleTable) roleTable {
	out := after
	out.whose = sideNew
	out.keyIDs = slices.DeleteFunc(slices.Clone(after.keyIDs), func(id string) bool { return slices.Contains(before.keyIDs, id) })
	out.threshold = len(out.keyIDs)
	return out
}
