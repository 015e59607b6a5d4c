package release

import (
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/layout"
)

// onlineKeys are the sets of online keys at hand: key ids by role. More than one
// is there while new keys wait for the root that names them, and afterwards
// until somebody removes the old ones.
type onlineKeys []map[string]string

// check refuses a role that is not signed by one key of ours.
func (o onlineKeys) check(name, role string, ids []string, threshold int) error {
	ours := func(set map[string]string) bool { return len(ids) == 1 && set[role] == ids[0] }
	if threshold != 1 || !slices.ContainsFunc(o, ours) {
		return refuse(name, "role %s must be 1 of 1, by this server's key %.12s; use the online-keys.json that `candor-server init` or `candor-server keys new` wrote (with several servers, copy keys/ to each of them first)", role, o[len(o)-1][role])
	}
	return nil
}

// hold tells whether a key is one of ours, of whatever role.
func (o onlineKeys) hold(id string) bool {
	return slices.ContainsFunc(o, func(set map[string]string) bool {
		for _, have := range set {
			if have == id {
				return true
			}
		}
		return false
	})
}

// oneSet refuses root and targets that mix sets. Keys are replaced together: a
// handset forgets what a thief of the old ones has shown it only where none of
// them is left (fast-forward), and a server signs with one set.
func (v *verifier) oneSet() error {
	listed := map[string][]string{}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
		listed[role] = v.root.Signed.Roles[role].KeyIDs
	}
	for _, r := range v.delegations.Signed.Delegations.Roles {
		if r.Name == layout.RolloutsRole {
			listed[r.Name] = r.KeyIDs
		}
	}
	for _, set := range v.online {
		fits := true
		for role, ids := range listed {
			fits = fits && slices.Equal(ids, []string{set[role]})
		}
		if fits {
			return nil
		}
	}
	return refuse(v.nameOf(metadata.ROOT), "root and targets must list one set of this server's online keys in all three roles; timestamp, snapshot and rollouts are replaced together (`candor-signer root rotate-online`)")
}
