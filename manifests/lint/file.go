package lint

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// The top-level roles of TUF.
const (
	roleRoot      = "root"
	roleTargets   = "targets"
	roleSnapshot  = "snapshot"
	roleTimestamp = "timestamp"
)

// File is one metadata file as it is written. Nothing of it is verified.
type File struct {
	Role    string
	Version int64
	Expires time.Time
	Signed  []string // key ids of the signatures, in order

	Keys       map[string]Key
	Rows       []Row             // root's roles, or the delegations of targets, in order
	Targets    map[string]Target // by path
	Meta       map[string]Meta   // of snapshot and timestamp, by file name
	NextBy     *manifests.Time   // x-next-by
	Issued     *manifests.Time   // x-issued
	Retires    []manifests.Build // x-retires
	Spare      []manifests.Build // x-spare-votes
	Consistent bool
	Delegates  bool // there are delegations, however empty
}

// Row says who signs a role.
type Row struct {
	Name        string
	KeyIDs      []string
	Threshold   int
	Holders     map[string]string // x-holders: key id to person
	HasHolders  bool
	Paths       []string
	Terminating bool
	field       string // where it stands
}

// Target is what a role signs of a file.
type Target struct {
	Length int64
	Hashes map[string]string
	Extra  bool // more fields than those
}

// Meta is what snapshot or timestamp signs of another file.
type Meta struct {
	Version int64
	Length  int64
	Hashes  map[string]string
}

// Read parses a metadata file of a role and applies the rules of its form. The
// File is nil if it could not be read; what could be read is in it otherwise,
// also when there are findings.
func Read(role string, data []byte) (*File, Findings) {
	r := &report{role: role}
	if !r.form(data) {
		return nil, r.found
	}
	top := r.fields(data, "", "signatures", "signed")
	if top == nil {
		return nil, r.found
	}
	f := &File{Role: role, Keys: map[string]Key{}, Targets: map[string]Target{}, Meta: map[string]Meta{}}
	r.signatures(f, top["signatures"])
	if top["signed"] == nil {
		r.add(place{RuleForm, "signed", nil}, makeAgain, "field \"signed\" is missing")
		return nil, r.found
	}
	r.signed(f, top["signed"])
	return f, r.found
}

func (r *report) signatures(f *File, raw json.RawMessage) {
	var all []json.RawMessage
	if raw == nil || json.Unmarshal(raw, &all) != nil {
		r.add(place{RuleForm, "signatures", nil}, makeAgain, "field \"signatures\" is not a list")
		return
	}
	seen := map[string]bool{}
	for i, one := range all {
		path := index("signatures", i)
		var id string
		r.value(r.fields(one, path, "keyid", "sig"), path, "keyid", &id)
		if seen[id] {
			r.add(place{RuleSignature, path, id}, "remove one of the two signatures; the file does not load with both", "key %s signs twice", short(id))
		}
		seen[id] = true
		f.Signed = append(f.Signed, id)
	}
}

// fieldsOf are the fields that each kind of role may sign.
var fieldsOf = map[string][]string{
	roleRoot:      {"consistent_snapshot", "keys", "roles"},
	roleTargets:   {"targets", "delegations"},
	roleSnapshot:  {"meta"},
	roleTimestamp: {"meta", layout.FieldIssued},
}

func (r *report) signed(f *File, raw json.RawMessage) {
	kind := f.Role
	known := fieldsOf[kind]
	if known == nil {
		kind, known = roleTargets, fieldsOf[roleTargets]
		if _, ok := layout.ReleasesRoleProduct(f.Role); ok {
			known = append(slices.Clone(known), layout.FieldNextBy, layout.FieldRetires, layout.FieldSpare)
		}
	}
	signed := r.fields(raw, "", append([]string{"_type", "spec_version", "version", "expires"}, known...)...)
	var is, spec string
	r.value(signed, "", "_type", &is)
	r.value(signed, "", "spec_version", &spec)
	if is != kind {
		r.add(place{RuleType, "_type", is}, "give the file its right name, or make it again", "says that it is %q, not %q", is, kind)
	}
	r.value(signed, "", "version", &f.Version)
	if f.Version < 1 {
		r.add(place{RuleVersion, "version", f.Version}, makeAgain, "version %d; the first is 1", f.Version)
	}
	var expires manifests.Time
	if !r.value(signed, "", "expires", &expires) {
		r.add(place{RuleForm, "expires", nil}, makeAgain, "does not say when it expires")
	}
	f.Expires = expires.Time
	r.value(signed, "", "consistent_snapshot", &f.Consistent)
	r.keys(f, signed["keys"], "keys")
	r.roles(f, signed["roles"])
	r.delegations(f, signed["delegations"])
	r.targets(f, signed["targets"])
	r.meta(f, signed["meta"])
	for name, into := range map[string]**manifests.Time{layout.FieldNextBy: &f.NextBy, layout.FieldIssued: &f.Issued} {
		r.value(signed, "", name, into)
	}
	r.value(signed, "", layout.FieldRetires, &f.Retires)
	r.spare(f, signed[layout.FieldSpare])
}

func (r *report) roles(f *File, raw json.RawMessage) {
	if raw == nil {
		return
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		r.add(place{RuleForm, "roles", nil}, makeAgain, "field \"roles\" is not an object")
		return
	}
	for _, name := range sorted(all) {
		path := join("roles", name)
		row := Row{Name: name, field: path}
		r.row(&row, r.fields(all[name], path, "keyids", "threshold", layout.FieldHolders), path)
		f.Rows = append(f.Rows, row)
	}
}

func (r *report) row(row *Row, from map[string]json.RawMessage, path string) {
	r.value(from, path, "keyids", &row.KeyIDs)
	r.value(from, path, "threshold", &row.Threshold)
	row.HasHolders = r.value(from, path, layout.FieldHolders, &row.Holders)
}

func (r *report) delegations(f *File, raw json.RawMessage) {
	if raw == nil {
		return
	}
	f.Delegates = true
	from := r.fields(raw, "delegations", "keys", "roles")
	r.keys(f, from["keys"], "delegations.keys")
	var all []json.RawMessage
	if !r.value(from, "delegations", "roles", &all) {
		return
	}
	for i, one := range all {
		path := index("delegations.roles", i)
		row := Row{field: path}
		fields := r.fields(one, path, "name", "keyids", "threshold", "terminating", "paths", layout.FieldHolders)
		r.value(fields, path, "name", &row.Name)
		r.value(fields, path, "terminating", &row.Terminating)
		r.value(fields, path, "paths", &row.Paths)
		r.row(&row, fields, path)
		f.Rows = append(f.Rows, row)
	}
}

func (r *report) targets(f *File, raw json.RawMessage) {
	if raw == nil {
		return
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		r.add(place{RuleForm, "targets", nil}, makeAgain, "field \"targets\" is not an object")
		return
	}
	for path, one := range all {
		var fields map[string]json.RawMessage
		if json.Unmarshal(one, &fields) != nil {
			f.Targets[path] = Target{Extra: true}
			continue
		}
		t := Target{Extra: len(fields) != 2}
		if json.Unmarshal(fields["length"], &t.Length) != nil || json.Unmarshal(fields["hashes"], &t.Hashes) != nil {
			t.Extra = true
		}
		f.Targets[path] = t
	}
}

func (r *report) meta(f *File, raw json.RawMessage) {
	if raw == nil {
		return
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		r.add(place{RuleForm, "meta", nil}, makeAgain, "field \"meta\" is not an object")
		return
	}
	for _, name := range sorted(all) {
		path := join("meta", name)
		var m Meta
		fields := r.fields(all[name], path, "version", "length", "hashes")
		r.value(fields, path, "version", &m.Version)
		r.value(fields, path, "length", &m.Length)
		r.value(fields, path, "hashes", &m.Hashes)
		f.Meta[name] = m
	}
}

// Row gives the row of a role.
func (f *File) Row(name string) (Row, bool) {
	i := slices.IndexFunc(f.Rows, func(r Row) bool { return r.Name == name })
	if i < 0 {
		return Row{}, false
	}
	return f.Rows[i], true
}

// report begins the findings of a file.
func (f *File) report() *report { return &report{role: f.Role} }

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }
