package ceremony

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// minThreshold is the smallest number of people that may sign for others.
const minThreshold = 2

// lintRoot refuses a root whose role table breaks a rule of Candor's: missing
// or foreign roles, thresholds below two, one person twice, shared online
// keys, keys of other kinds, key ids that are not those of their keys.
func lintRoot(root *rootMeta) error {
	s := &root.Signed
	if !s.ConsistentSnapshot {
		return errors.New("root: consistent_snapshot must be true")
	}
	if len(s.UnrecognizedFields) != 0 {
		return fmt.Errorf("root: unknown field %q", anyKey(s.UnrecognizedFields))
	}
	if len(s.Roles) != len(metadata.TOP_LEVEL_ROLE_NAMES) {
		return fmt.Errorf("root: %d roles; expected root, targets, snapshot and timestamp", len(s.Roles))
	}
	if err := lintKeys("root", s.Keys); err != nil {
		return err
	}
	online := map[string]string{}
	for _, name := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		t, err := rootRole(root, name)
		if err != nil {
			return err
		}
		if name == metadata.ROOT || name == metadata.TARGETS {
			err = lintPeople(t)
		} else {
			err = lintOnline(t, online)
		}
		if err != nil {
			return err
		}
	}
	return lintOnlineApart(root, online)
}

func lintOnlineApart(root *rootMeta, online map[string]string) error {
	for _, name := range []string{metadata.ROOT, metadata.TARGETS} {
		for _, id := range root.Signed.Roles[name].KeyIDs {
			if role, ok := online[id]; ok {
				return fmt.Errorf("role %s: its key %s is also the online key of %s", name, short(id), role)
			}
		}
	}
	return nil
}

// lintPeople checks a role that people sign.
func lintPeople(t roleTable) error {
	if t.threshold < minThreshold || t.threshold > len(t.keyIDs) {
		return fmt.Errorf("role %s: threshold %d of %d keys; it must be at least %d and at most the number of keys", t.name, t.threshold, len(t.keyIDs), minThreshold)
	}
	if len(t.holders) != len(t.keyIDs) {
		return fmt.Errorf("role %s: x-holders names %d people for %d keys", t.name, len(t.holders), len(t.keyIDs))
	}
	seen := map[string]bool{}
	for _, id := range t.keyIDs {
		name, ok := t.holders[id]
		if !ok {
			return fmt.Errorf("role %s: x-holders names nobody for key %s", t.name, short(id))
		}
		if err := keyring.CheckHolder(name); err != nil {
			return fmt.Errorf("role %s: %w", t.name, err)
		}
		if seen[keyring.FoldHolder(name)] {
			return fmt.Errorf("role %s: %s holds two keys; one person has one key in a role", t.name, name)
		}
		seen[keyring.FoldHolder(name)] = true
	}
	return nil
}

// lintOnline checks a role of the service and notes its keys in seen.
func lintOnline(t roleTable, seen map[string]string) error {
	if t.threshold != 1 || len(t.keyIDs) != 1 {
		return fmt.Errorf("role %s: %d of %d keys; the service signs it with one key of its own", t.name, t.threshold, len(t.keyIDs))
	}
	if len(t.holders) != 0 {
		return fmt.Errorf("role %s: names a person for a key of the service", t.name)
	}
	if role, ok := seen[t.keyIDs[0]]; ok {
		return fmt.Errorf("role %s: shares its key with %s; each online role has a key of its own", t.name, role)
	}
	seen[t.keyIDs[0]] = t.name
	return nil
}

// lintKeys checks that each key is of an allowed kind and filed under its own id.
func lintKeys(where string, keys map[string]*metadata.Key) error {
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		key, err := ourKey(keys[id])
		if err != nil {
			return fmt.Errorf("%s: key %s: %w", where, short(id), err)
		}
		real, err := key.ID()
		if err != nil {
			return err
		}
		if real != id {
			return fmt.Errorf("%s: a key is filed under %s, but its id is %s", where, short(id), short(real))
		}
	}
	return nil
}

// lintTargets refuses a targets role that lists files, or delegates in any way
// other than flat, disjoint and terminating, or to keys of root and targets.
func lintTargets(root *rootMeta, targets *targetsMeta) error {
	s := &targets.Signed
	if len(s.UnrecognizedFields) != 0 {
		return fmt.Errorf("targets: unknown field %q", anyKey(s.UnrecognizedFields))
	}
	if len(s.Targets) != 0 {
		return errors.New("targets: lists files; it may only delegate")
	}
	d := s.Delegations
	if d == nil || d.SuccinctRoles != nil || len(d.UnrecognizedFields) != 0 {
		return errors.New("targets: delegations must be a plain list of roles")
	}
	if err := lintKeys("targets", d.Keys); err != nil {
		return err
	}
	if len(d.Roles) == 0 || d.Roles[0].Name != layout.RolloutsRole {
		return fmt.Errorf("targets: the first delegation must be %s", layout.RolloutsRole)
	}
	offline := map[string]bool{}
	online := map[string]string{}
	for name, r := range root.Signed.Roles {
		for _, id := range r.KeyIDs {
			if name == metadata.ROOT || name == metadata.TARGETS {
				offline[id] = true
			} else {
				online[id] = name
			}
		}
	}
	seen := map[string]bool{}
	for i := range d.Roles {
		r := &d.Roles[i]
		if seen[r.Name] {
			return fmt.Errorf("targets: two delegations to %s", r.Name)
		}
		seen[r.Name] = true
		if err := lintDelegation(targets, r, offline, online); err != nil {
			return err
		}
	}
	return nil
}

func lintDelegation(targets *targetsMeta, r *metadata.DelegatedRole, offline map[string]bool, online map[string]string) error {
	pattern, err := pathsOf(r.Name)
	if err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	if !r.Terminating || len(r.PathHashPrefixes) != 0 || !slices.Equal(r.Paths, []string{pattern}) {
		return fmt.Errorf("role %s: must be terminating and answer for %s only", r.Name, pattern)
	}
	t, err := delegatedRole(targets, r.Name)
	if err != nil {
		return err
	}
	for _, id := range t.keyIDs {
		if offline[id] {
			return fmt.Errorf("role %s: key %s is also a key of root or targets; use a key of its own", r.Name, short(id))
		}
	}
	if r.Name == layout.RolloutsRole {
		return lintOnline(t, online)
	}
	for _, id := range t.keyIDs {
		if role, ok := online[id]; ok {
			return fmt.Errorf("role %s: key %s is also the online key of %s", r.Name, short(id), role)
		}
	}
	return lintPeople(t)
}

func anyKey(m map[string]any) string { return slices.Sorted(maps.Keys(m))[0] }

// short is the beginning of a key id or hash, for messages.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
