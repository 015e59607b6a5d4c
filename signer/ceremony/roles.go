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

// The signed fields that are written and read here.
const (
	holdersField = layout.FieldHolders
	nextByField  = layout.FieldNextBy
)

// roleTable is one row of a role table: whose keys, and how many of them.
type roleTable struct {
	name      string
	keyIDs    []string
	threshold int
	holders   map[string]string // key id to person; empty for the service's keys
	whose     side
	foreign   map[string]otherKey // in place of keys: those of a root that is adopted
	keys      map[string]keyring.Key
}

// holderOf is the person behind a key id, or the role's name for online keys.
func (t roleTable) holderOf(keyID string) string {
	if name, ok := t.holders[keyID]; ok {
		return name
	}
	if k, ok := t.foreign[keyID]; ok {
		return k.owner
	}
	return "the service (" + t.name + ")"
}

// people lists the holders in the order of the key ids.
func (t roleTable) people() []string {
	names := make([]string, len(t.keyIDs))
	for i, id := range t.keyIDs {
		names[i] = t.holderOf(id)
	}
	return names
}

// rootRole reads the row of a top-level role.
func rootRole(root *rootMeta, name string) (roleTable, error) {
	r, ok := root.Signed.Roles[name]
	if !ok {
		return roleTable{}, fmt.Errorf("root: role %s is missing", name)
	}
	t := roleTable{name: name, keyIDs: r.KeyIDs, threshold: r.Threshold}
	return t.fill(r.UnrecognizedFields, root.Signed.Keys)
}

// delegatedRole reads the row of a delegated role.
func delegatedRole(targets *targetsMeta, name string) (roleTable, error) {
	if targets.Signed.Delegations == nil {
		return roleTable{}, errors.New("targets: no delegations")
	}
	for _, r := range targets.Signed.Delegations.Roles {
		if r.Name == name {
			t := roleTable{name: name, keyIDs: r.KeyIDs, threshold: r.Threshold}
			return t.fill(r.UnrecognizedFields, targets.Signed.Delegations.Keys)
		}
	}
	return roleTable{}, fmt.Errorf("targets: no delegation to %s; `product add` makes one", name)
}

func (t roleTable) fill(fields map[string]any, keys map[string]*metadata.Key) (roleTable, error) {
	t.holders, t.keys = map[string]string{}, map[string]keyring.Key{}
	for field, value := range fields {
		table, ok := value.(map[string]any)
		if field != holdersField || !ok {
			return t, fmt.Errorf("role %s: unknown field %q", t.name, field)
		}
		for id, name := range table {
			text, ok := name.(string)
			if !ok {
				return t, fmt.Errorf("role %s: x-holders of key %s is not a name", t.name, id)
			}
			t.holders[id] = text
		}
	}
	for _, id := range t.keyIDs {
		k, ok := keys[id]
		if !ok {
			return t, fmt.Errorf("role %s: key %s is not in the table of keys", t.name, id)
		}
		key, err := ourKey(k)
		if err != nil {
			return t, fmt.Errorf("role %s: key %s: %w", t.name, id, err)
		}
		t.keys[id] = key
	}
	return t, nil
}

// row makes the library's fields out of public keys of people.
func row(keys []keyring.Public) (ids []string, fields map[string]any, table map[string]*metadata.Key) {
	holders := map[string]any{}
	table = map[string]*metadata.Key{}
	for _, k := range keys {
		holders[k.KeyID] = k.Holder
		table[k.KeyID] = tufKey(k.Key)
	}
	ids = slices.Sorted(maps.Keys(table))
	return ids, map[string]any{holdersField: holders}, table
}

// checkKeys refuses a key that is given twice; the table of the role could not
// show it. Names and thresholds are judged by lint, with everything else.
func checkKeys(role string, keys []keyring.Public) error {
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k.KeyID] {
			return fmt.Errorf("role %s: the key %s (%s) is given twice", role, k.Name, k.Holder)
		}
		seen[k.KeyID] = true
	}
	return nil
}
