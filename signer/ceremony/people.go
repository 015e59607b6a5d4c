package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/candor-ota/candor/signer/keyring"
)

// PeopleChange says who signs a role from now on, and how many of them must.
type PeopleChange struct {
	Add       []keyring.Public
	Remove    []string      // names as the role lists them, or the beginning of a key id
	Replace   []Replacement // another key for somebody, or somebody else
	Threshold int           // zero: as it is
}

// Replacement puts a key in the place of another one.
type Replacement struct {
	Old string // as in Remove
	New keyring.Public
}

func (c PeopleChange) empty() bool {
	return len(c.Add) == 0 && len(c.Remove) == 0 && len(c.Replace) == 0 && c.Threshold == 0
}

// minKeyPrefix is how much of a key id names it.
const minKeyPrefix = 8

// errNobody means that a role lists nobody of that name.
var errNobody = errors.New("holds no key in role")

// find gives the place of somebody in a table.
func (t roleTable) find(who string) (int, error) {
	var found []int
	for i, id := range t.keyIDs {
		if keyring.SameHolder(t.holders[id], who) || len(who) >= minKeyPrefix && strings.HasPrefix(id, strings.ToLower(who)) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, fmt.Errorf("%q %w %s; it has %s", who, errNobody, t.name, joinNames(t.people()))
	default:
		return 0, fmt.Errorf("%q means more than one key of role %s; give the key id", who, t.name)
	}
}

// public gives the people of a table as their public files would.
func (t roleTable) public() []keyring.Public {
	out := make([]keyring.Public, len(t.keyIDs))
	for i, id := range t.keyIDs {
		out[i] = keyring.Public{Name: short(id), Holder: t.holders[id], KeyID: id, Key: t.keys[id]}
	}
	return out
}

// apply gives the people and the threshold of a role after the change. done
// collects the names that were found, for roles that list different people.
func (c PeopleChange) apply(t roleTable, done map[string]bool) ([]keyring.Public, int, error) {
	keys, threshold := t.public(), t.threshold
	if c.Threshold != 0 {
		threshold = c.Threshold
	}
	gone := []string{}
	for _, r := range c.Replace {
		i, err := t.find(r.Old)
		if errors.Is(err, errNobody) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if t.keyIDs[i] == r.New.KeyID {
			return nil, 0, fmt.Errorf("role %s: %s has this key already", t.name, r.Old)
		}
		done[r.Old] = true
		keys[i] = r.New
	}
	for _, who := range c.Remove {
		i, err := t.find(who)
		if errors.Is(err, errNobody) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		done[who] = true
		gone = append(gone, t.keyIDs[i])
	}
	keys = slices.DeleteFunc(keys, func(k keyring.Public) bool { return slices.Contains(gone, k.KeyID) })
	keys = append(keys, c.Add...)
	return keys, threshold, checkKeys(t.name, keys)
}

// missed refuses names that no role listed.
func (c PeopleChange) missed(done map[string]bool, tables ...roleTable) error {
	names := slices.Clone(c.Remove)
	for _, r := range c.Replace {
		names = append(names, r.Old)
	}
	for _, who := range names {
		if !done[who] {
			_, err := tables[0].find(who)
			return err
		}
	}
	return nil
}

// describeChange tells two rows of a role apart, in words.
func describeChange(before, after roleTable) []string {
	lines := []string{fmt.Sprintf("  %s: %d of %d -> %d of %d", after.name, before.threshold, len(before.keyIDs), after.threshold, len(after.keyIDs))}
	for _, id := range after.keyIDs {
		who := after.holderOf(id)
		old := slices.IndexFunc(before.keyIDs, func(o string) bool { return keyring.SameHolder(before.holderOf(o), who) })
		switch {
		case slices.Contains(before.keyIDs, id):
			lines = append(lines, fmt.Sprintf("    stays:   %s (key %s)", who, wordsOf(id)))
		case old >= 0:
			lines = append(lines, fmt.Sprintf("    OTHER KEY: %s (key %s -> %s)", who, wordsOf(before.keyIDs[old]), wordsOf(id)))
		default:
			lines = append(lines, fmt.Sprintf("    NEW:     %s (key %s)", who, wordsOf(id)))
		}
	}
	for _, id := range before.keyIDs {
		who := before.holderOf(id)
		if slices.ContainsFunc(after.keyIDs, func(n string) bool { return keyring.SameHolder(after.holderOf(n), who) }) {
			continue
		}
		lines = append(lines, fmt.Sprintf("    GONE:    %s (key %s)", who, wordsOf(id)))
	}
	return lines
}

// same tells whether two rows list the same keys, people and threshold.
func (t roleTable) same(o roleTable) bool {
	if t.threshold != o.threshold || len(t.keyIDs) != len(o.keyIDs) {
		return false
	}
	for _, id := range t.keyIDs {
		if !slices.Contains(o.keyIDs, id) || t.holders[id] != o.holders[id] {
			return false
		}
	}
	return true
}
