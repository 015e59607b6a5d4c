package trust

import (
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// signers gives the ids of the keys that a delegated role lists and whose
// signature over its file holds. Names on a file prove nothing: each signature
// is verified by itself, where the walk only counts them up to the threshold.
func (w *walk) signers(role string) []string {
	top, m := w.set.Targets[metadata.TARGETS], w.set.Targets[role]
	if top == nil || m == nil || top.Signed.Delegations == nil {
		return nil
	}
	var out []string
	for _, d := range top.Signed.Delegations.Roles {
		if d.Name != role {
			continue
		}
		for _, id := range d.KeyIDs {
			if !slices.Contains(out, id) && signedBy(top.Signed.Delegations.Keys, role, id, m) {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return out
}

// signedBy asks the library about a delegation to this one key.
func signedBy(keys map[string]*metadata.Key, role, id string, m *metadata.Metadata[metadata.TargetsType]) bool {
	one := metadata.Targets(m.Signed.Expires)
	one.Signed.Delegations = &metadata.Delegations{
		Keys:  keys,
		Roles: []metadata.DelegatedRole{{Name: role, KeyIDs: []string{id}, Threshold: 1}},
	}
	return guarded(role, func() error { return one.VerifyDelegate(role, m) }) == nil
}
