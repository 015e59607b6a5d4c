package diagnosis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// File is one metadata file as it is written; nothing of it is proved.
type File struct {
	Type       string // "root", "timestamp", "snapshot" or "targets"
	Version    int64
	Expires    time.Time
	Issued     time.Time // of a timestamp; zero if it does not say
	Signatures []Signature
	Roles      map[string]Table  // of a root: the top-level roles; of a targets file: its delegations
	Order      []string          // the delegations in their order
	Meta       map[string]Target // of a timestamp and a snapshot: by file name
	Targets    map[string]Target // of a targets file: by path

	payload []byte // canonical, as it is signed
}

// Signature is one signature of a file.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // hex
}

// Target is what is signed about another file. What is zero is not signed.
type Target struct {
	Version int64
	Length  int64
	SHA256  string // hex
}

// Hash is the SHA-256, in hex, of what is signed: it names a root whatever
// signatures it has.
func (f *File) Hash() string { return manifests.SumSHA256(f.payload).String() }

// read parses a metadata file of at most limit bytes. The error says in words
// what is wrong with its form.
func read(data []byte, limit int64, strangers bool) (*File, error) {
	if err := checkForm(data, limit); err != nil {
		return nil, err
	}
	top, err := object(data, "document")
	if err != nil {
		return nil, err
	}
	f := &File{}
	if err := errors.Join(top.known("the file", strangers, "signed", "signatures"), top.into("signatures", &f.Signatures)); err != nil {
		return nil, err
	}
	signed, err := object(top["signed"], "signed")
	if err != nil {
		return nil, err
	}
	if f.payload, err = canonical(top["signed"]); err != nil {
		return nil, err
	}
	return f, f.fill(signed, strangers)
}

// canonical is the form over which signatures are made.
func canonical(raw json.RawMessage) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	return cjson.EncodeCanonical(v)
}

var common = []string{"_type", "spec_version", "version", "expires"}

func (f *File) fill(signed fields, strangers bool) error {
	var expires string
	if err := errors.Join(signed.into("_type", &f.Type), signed.into("version", &f.Version), signed.into("expires", &expires)); err != nil {
		return err
	}
	var err error
	if f.Expires, err = time.Parse(time.RFC3339, expires); err != nil {
		return fmt.Errorf(`field "expires": %q is not a time such as 2027-01-31T12:00:00Z`, expires)
	}
	if f.Version < 1 {
		return fmt.Errorf(`field "version": %d; versions begin with 1`, f.Version)
	}
	own := map[string][]string{
		"root": {"keys", "roles", "consistent_snapshot"}, "timestamp": {"meta"}, "snapshot": {"meta"}, "targets": {"targets", "delegations"},
	}[f.Type]
	if own == nil {
		return fmt.Errorf("field \"_type\": %q is none of root, timestamp, snapshot and targets", f.Type)
	}
	if err := signed.known("what is signed", strangers, append(own, common...)...); err != nil {
		return err
	}
	switch f.Type {
	case "root":
		return f.fillRoot(signed)
	case "targets":
		return f.fillTargets(signed)
	}
	if text, ok := signed[layout.FieldIssued]; ok {
		var at manifests.Time
		if err := json.Unmarshal(text, &at); err != nil {
			return fmt.Errorf("field %q is not a time", layout.FieldIssued)
		}
		f.Issued = at.Time
	}
	f.Meta, err = targets(signed, "meta")
	return err
}

func (f *File) fillRoot(signed fields) error {
	var roles map[string]row
	var keys map[string]Key
	if err := errors.Join(signed.into("roles", &roles), signed.into("keys", &keys)); err != nil {
		return err
	}
	f.Roles = map[string]Table{}
	for name, r := range roles {
		f.Roles[name] = r.table(name, keys)
	}
	return nil
}

func (f *File) fillTargets(signed fields) error {
	var err error
	if f.Targets, err = targets(signed, "targets"); err != nil {
		return err
	}
	if _, ok := signed["delegations"]; !ok {
		return nil
	}
	var d struct {
		Keys  map[string]Key `json:"keys"`
		Roles []struct {
			Name string `json:"name"`
			row
		} `json:"roles"`
	}
	if err := signed.into("delegations", &d); err != nil {
		return err
	}
	f.Roles = map[string]Table{}
	for _, r := range d.Roles {
		if _, twice := f.Roles[r.Name]; !twice { // the first one counts
			f.Roles[r.Name] = r.table(r.Name, d.Keys)
			f.Order = append(f.Order, r.Name)
		}
	}
	return nil
}

// targets reads what is signed about other files.
func targets(signed fields, name string) (map[string]Target, error) {
	var raw map[string]struct {
		Version int64             `json:"version"`
		Length  int64             `json:"length"`
		Hashes  map[string]string `json:"hashes"`
	}
	if err := signed.into(name, &raw); err != nil {
		return nil, err
	}
	out := map[string]Target{}
	for file, t := range raw {
		out[file] = Target{Version: t.Version, Length: t.Length, SHA256: strings.ToLower(t.Hashes["sha256"])}
	}
	return out, nil
}
