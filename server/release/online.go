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
