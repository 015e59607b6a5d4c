package trust

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

const (
	maxStateBytes = 64 << 10
	stateFile     = ".state" // no role can have that name
)

// state is what the walk remembers beside the metadata itself. It is written
// last, so that a walk cut short counts as never begun.
type state struct {
	ETag      string          `json:"etag,omitempty"`     // of timestamp.json as stored
	LastWalk  *manifests.Time `json:"lastWalk,omitempty"` // of the last whole walk
	Floors    []floor         `json:"floors"`
	StaleFrom *manifests.Time `json:"staleFrom,omitempty"` // since when mirrors serve an older timestamp
	Head      *head           `json:"head,omitempty"`

	kept strict.Kept // of a newer version of this program
}

// floor is the lowest version of a role, or the earliest time, that is still
// believed, with the keys that raised it. A floor falls with its keys: else a
// thief who signs version 2^31-1 once would shut the handset out for ever.
type floor struct {
	Role    string          `json:"role"`
	Version int64           `json:"version"`
	Issued  *manifests.Time `json:"issued,omitempty"` // timestamp only
	KeyIDs  []string        `json:"keyIds"`
}

// head is the newest rollouts document that was seen.
type head struct {
	Counter uint64           `json:"counter"`
	SHA256  manifests.SHA256 `json:"sha256"`
}

func (s *Store) loadState() (*state, error) {
	b, err := s.load(stateFile, maxStateBytes)
	if err != nil || b == nil {
		return &state{Floors: []floor{}}, err
	}
	var st state
	if st.kept, err = strict.DecodeKept(b, maxStateBytes, &st); err != nil {
		return &state{Floors: []floor{}}, s.quarantine(stateFile)
	}
	return &st, nil
}

func (s *Store) saveState(st *state) error {
	b, err := st.kept.Canonical(st)
	if err != nil {
		return fmt.Errorf("metadata store: %w", err)
	}
	return s.save(stateFile, b)
}

func (st *state) floor(role string) *floor {
	i := slices.IndexFunc(st.Floors, func(f floor) bool { return f.Role == role })
	if i < 0 {
		return nil
	}
	return &st.Floors[i]
}

// issued is the newest signed time that is still believed.
func (st *state) issued() time.Time {
	if f := st.floor(metadata.TIMESTAMP); f != nil && f.Issued != nil {
		return f.Issued.Time
	}
	return time.Time{}
}

// raise records that version of role was accepted under the keys that signed
// it and that its delegator lists; unlisted names on a file mean nothing.
func (st *state) raise(role string, version int64, issued *manifests.Time, signatures []metadata.Signature, authorized []string) {
	keys := make([]string, 0, len(signatures))
	for _, s := range signatures {
		if slices.Contains(authorized, s.KeyID) {
			keys = append(keys, s.KeyID)
		}
	}
	next := floor{Role: role, Version: version, Issued: issued, KeyIDs: keys}
	if f := st.floor(role); f != nil {
		if f.Version == version && f.Issued != nil && (issued == nil || f.Issued.After(issued.Time)) {
			return
		}
		*f = next
		return
	}
	st.Floors = append(st.Floors, next)
}

func (st *state) check(role string, version int64) error {
	if f := st.floor(role); f != nil && version < f.Version {
		return refuse(role, ErrRollback, "version %d is below %d, which was verified before", version, f.Version)
	}
	return nil
}

// fall removes the floors of roles; it tells whether there were any.
func (st *state) fall(match func(floor) bool) []string {
	var fell []string
	st.Floors = slices.DeleteFunc(st.Floors, func(f floor) bool {
		if match(f) {
			fell = append(fell, f.Role)
			return true
		}
		return false
	})
	return fell
}

func listed(f floor, keyIDs []string) bool {
	return slices.ContainsFunc(f.KeyIDs, func(k string) bool { return slices.Contains(keyIDs, k) })
}

// dropByRoot drops the floors that keys raised which the root no longer lists
// for their role. With snapshot's fall those of all roles that it vouches for.
func (st *state) dropByRoot(root *metadata.Metadata[metadata.RootType]) []string {
	fell := st.fall(func(f floor) bool {
		role, top := root.Signed.Roles[f.Role]
		return top && !listed(f, role.KeyIDs)
	})
	if slices.Contains(fell, metadata.SNAPSHOT) {
		fell = append(fell, st.fall(func(f floor) bool {
			return f.Role == metadata.TARGETS || f.Role == layout.RolloutsRole || strings.HasPrefix(f.Role, "releases-")
		})...)
	}
	return fell
}

// dropByTargets does the same for delegated roles.
func (st *state) dropByTargets(targets *metadata.Metadata[metadata.TargetsType]) []string {
	keys := map[string][]string{}
	if d := targets.Signed.Delegations; d != nil {
		for _, r := range d.Roles {
			keys[r.Name] = r.KeyIDs
		}
	}
	return st.fall(func(f floor) bool {
		ids, delegated := keys[f.Role]
		return delegated && !listed(f, ids)
	})
}
