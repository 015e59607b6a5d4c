package lint

import (
	"slices"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
)

// minThreshold is the smallest number of people that may sign for others.
const minThreshold = 2

// Ours are the service's sets of online keys, each its key ids by role; nil
// where they are not known. There is more than one while new keys wait for the
// root that names them.
type Ours []map[string]string

// whose key of the service a role has, as far as was seen.
type online map[string]string // key id to role

// CheckRoot holds a root's role table against the rules: the four roles, people
// for root and targets, one key of the service for each of the others.
func CheckRoot(f *File, ours Ours) Findings {
	r := f.report()
	if !f.Consistent {
		r.add(place{RuleSnapshots, "consistent_snapshot", f.Consistent}, makeAgain, "consistent_snapshot must be true")
	}
	if len(f.Rows) != 4 {
		r.add(place{RuleRoles, "roles", len(f.Rows)}, makeAgain, "%d roles; expected root, targets, snapshot and timestamp", len(f.Rows))
	}
	seen := online{}
	for _, name := range []string{roleRoot, roleTargets, roleSnapshot, roleTimestamp} {
		row, ok := f.Row(name)
		switch {
		case !ok:
			r.add(place{RuleRoles, join("roles", name), nil}, makeAgain, "role %s is missing", name)
		case name == roleRoot || name == roleTargets:
			r.people(f, row)
		default:
			r.online(row, seen, ours)
		}
	}
	for _, name := range []string{roleRoot, roleTargets} {
		row, _ := f.Row(name)
		for _, id := range row.KeyIDs {
			if role, ok := seen.of(id, ours); ok {
				r.add(place{RuleShared, row.field, id}, "give people keys of their own, which never touch the server", "role %s: its key %s is also the online key of %s", name, short(id), role)
			}
		}
	}
	return r.found
}

func (o online) of(id string, ours Ours) (role string, ok bool) {
	if role, ok = o[id]; ok {
		return role, true
	}
	for _, set := range ours {
		for _, role := range sorted(set) {
			if set[role] == id {
				return role, true
			}
		}
	}
	return "", false
}

// people checks a role that people sign: enough of them, each by name, each
// with one key.
func (r *report) people(f *File, row Row) {
	if row.Threshold < minThreshold || row.Threshold > len(row.KeyIDs) {
		r.add(place{RuleThreshold, join(row.field, "threshold"), row.Threshold}, "choose a threshold of at least two people, and no more than there are",
			"role %s: threshold %d of %d keys; it must be at least %d and at most the number of keys", row.Name, row.Threshold, len(row.KeyIDs), minThreshold)
	}
	listed := map[string]bool{}
	for _, id := range row.KeyIDs {
		if _, known := f.Keys[id]; !known || listed[id] {
			r.add(place{RuleKey, join(row.field, "keyids"), id}, makeAgain, "role %s: key %s is listed twice, or not in the table of keys", row.Name, short(id))
		}
		listed[id] = true
	}
	r.holders(row)
}

func (r *report) holders(row Row) {
	field := join(row.field, layout.FieldHolders)
	const do = "name one person for each key; thresholds count people"
	if len(row.Holders) != len(row.KeyIDs) {
		r.add(place{RulePeople, field, len(row.Holders)}, do, "role %s: %s names %d people for %d keys", row.Name, layout.FieldHolders, len(row.Holders), len(row.KeyIDs))
	}
	seen := map[string]bool{}
	for _, id := range row.KeyIDs {
		name, ok := row.Holders[id]
		if !ok {
			r.add(place{RulePeople, field, id}, do, "role %s: %s names nobody for key %s", row.Name, layout.FieldHolders, short(id))
			continue
		}
		if err := event.CheckHolder(name); err != nil {
			r.add(place{RulePeople, field, name}, do, "role %s: %v", row.Name, err)
		}
		if seen[event.FoldHolder(name)] {
			r.add(place{RulePeople, field, name}, "let somebody else hold one of the two keys", "role %s: %s holds two keys; one person has one key in a role", row.Name, clip(name))
		}
		seen[event.FoldHolder(name)] = true
	}
}

// online checks a role of the service and notes its key.
func (r *report) online(row Row, seen online, ours Ours) {
	const do = "take the online-keys.json that `candor-server init` wrote"
	if row.Threshold != 1 || len(row.KeyIDs) != 1 {
		r.add(place{RuleOnline, row.field, row.Threshold}, do, "role %s: %d of %d keys; the service signs it with one key of its own", row.Name, row.Threshold, len(row.KeyIDs))
	}
	if row.HasHolders {
		r.add(place{RuleOnline, join(row.field, layout.FieldHolders), nil}, do, "role %s: names a person for a key of the service", row.Name)
	}
	if len(row.KeyIDs) == 0 {
		return
	}
	id := row.KeyIDs[0]
	if role, ok := seen[id]; ok {
		r.add(place{RuleShared, row.field, id}, do, "role %s: shares its key with %s; each online role has a key of its own", row.Name, role)
	}
	mine := func(set map[string]string) bool { return slices.Equal(row.KeyIDs, []string{set[row.Name]}) }
	if len(ours) > 0 && !slices.ContainsFunc(ours, mine) {
		r.add(place{RuleOnline, row.field, id}, "take the online-keys.json that `candor-server init` or `candor-server keys new` wrote (with several servers, copy keys/ to each of them first)",
			"role %s must be 1 of 1, by this server's key %s", row.Name, short(ours[len(ours)-1][row.Name]))
	}
	seen[id] = row.Name
}
