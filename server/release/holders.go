package release

import (
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// shown demands that everybody who is new among the root holders has signed: a
// key that nobody can use is found out now, and not when it is needed.
func shown(name string, before, next *rootMeta) error {
	for _, id := range next.Signed.Roles[metadata.ROOT].KeyIDs {
		if slices.Contains(before.Signed.Roles[metadata.ROOT].KeyIDs, id) {
			continue
		}
		alone := metadata.Root()
		alone.Signed.Keys[id] = next.Signed.Keys[id]
		alone.Signed.Roles[metadata.ROOT] = &metadata.Role{KeyIDs: []string{id}, Threshold: 1}
		if verifySigned(name, alone, metadata.ROOT, next) != nil {
			return refuse(name, "key %.12s is new and has not signed; a new root holder signs the root that names him, to show that the key can be used", id)
		}
	}
	return nil
}
