package release

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
)

// Proposal is a proposal of engineers as a server understands it: whose keys
// count, and what has to be published for it to make sense. Signers check far
// more; so does the intake when it is published.
type Proposal struct {
	*event.Proposal
	Hash   string
	Tables Tables
	Base   map[string]string // by role: the Standing that it starts from
	After  map[string]string // by role: fingerprint of what it signs

	ballots []event.Ballot
}

// ReadProposal parses a proposal, refuses role tables that one person could
// meet, and verifies every word in it against the keys that they name.
func ReadProposal(data []byte) (*Proposal, error) {
	wire, err := event.Parse(data)
	if err != nil {
		return nil, refuse("proposal", "%v", err)
	}
	p := &Proposal{Proposal: wire, Base: map[string]string{}, After: map[string]string{}}
	if p.Hash, err = wire.Hash(); err != nil {
		return nil, refuse("proposal", "%v", err)
	}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p, p.CheckWords()
}

// CheckWords verifies what people said.
func (p *Proposal) CheckWords() error {
	if err := p.Proposal.CheckWords(p.ballots); err != nil {
		return refuse("proposal", "%v", err)
	}
	return nil
}

// With is the proposal with what was said added, verified.
func (p *Proposal) With(said ...event.Said) (*Proposal, error) {
	out := *p
	out.Proposal = p.Proposal.With(said...)
	if err := out.Check(); err != nil {
		return nil, refuse("proposal", "%v", err)
	}
	return &out, out.CheckWords()
}

func (p *Proposal) read() error {
	before := files{targets: []byte(p.Proposal.Base.Targets)}
	for _, root := range p.Proposal.Base.Roots {
		before.roots = append(before.roots, []byte(root))
	}
	if p.Proposal.Base.Releases != "" {
		before.releases = []byte(p.Proposal.Base.Releases)
	}
	was, err := before.parse(p.Product)
	if err != nil {
		return err
	}
	next := *was
	for _, r := range p.Roles {
		if err := next.take(r); err != nil {
			return err
		}
	}
	for _, r := range p.Roles {
		if err := p.readRole(r, was, &next); err != nil {
			return err
		}
	}
	return nil
}

// readRole finds the tables that a role answers to: those who sign it from now
// on; for root also those who sign it now; and everybody who is new to it.
func (p *Proposal) readRole(r event.Role, was, next *parsed) error {
	head, err := r.Head()
	if err != nil {
		return refuse(r.Name, "%v", err)
	}
	payload, err := next.payload(r.Name)
	if err != nil {
		return err
	}
	ballot := event.Ballot{Payload: payload, Seats: map[string]event.Seat{}}
	sit := func(w row, seat func(id string) event.Seat) {
		t := Table{Role: r.Name, Version: head.Version, Threshold: w.threshold}
		for _, id := range w.ids {
			t.People = append(t.People, Person{id, w.holders[id]})
			if _, sits := ballot.Seats[id]; !sits {
				ballot.Seats[id] = seat(id)
			}
		}
		p.Tables = append(p.Tables, t)
	}
	after, before := next.row(r.Name), was.row(r.Name)
	if err := after.check(r.Name); err != nil {
		return err
	}
	sit(after, after.seat)
	adopts := p.Kind == event.RootAdopt
	switch {
	case r.Name != metadata.ROOT || len(before.ids) == 0:
	case adopts: // by the rules of another tool, and verified as handsets do
		sit(before, func(id string) event.Seat {
			return event.Seat{Bare: true, Verify: was.otherVerifier(id, next.root, payload)}
		})
	default:
		if err := before.check(r.Name); err != nil {
			return err
		}
		sit(before, before.seat)
	}
	if fresh := after.without(before); len(fresh.ids) > 0 && len(before.ids) > 0 {
		sit(fresh, fresh.seat)
	}
	p.ballots = append(p.ballots, ballot)
	p.Base[r.Name] = was.standing(r.Name)
	if adopts { // nothing of the old chain is published here
		p.Base[r.Name] = (&parsed{}).standing(r.Name)
	}
	p.After[r.Name] = fingerprint(payload)
	return nil
}

// seat is that of a key of ours.
func (w row) seat(id string) event.Seat {
	return event.Seat{Holder: w.holders[id], Verify: keyVerifier(w.keys[id])}
}

// without is the row of those who are not in another; all of them have to sign.
func (w row) without(other row) row {
	out := w
	out.ids = slices.DeleteFunc(slices.Clone(w.ids), func(id string) bool { return slices.Contains(other.ids, id) })
	out.threshold = len(out.ids)
	return out
}

// otherVerifier verifies a signature of the next root by one key of an old one,
// of whatever kind the library knows.
func (s *parsed) otherVerifier(id string, next *rootMeta, payload []byte) func(payload, sig []byte) bool {
	alone := metadata.Root()
	alone.Signed.Keys[id] = s.root.Signed.Keys[id]
	alone.Signed.Roles[metadata.ROOT] = &metadata.Role{KeyIDs: []string{id}, Threshold: 1}
	return func(given, sig []byte) bool {
		signed := *next
		signed.Signatures = []metadata.Signature{{KeyID: id, Signature: sig}}
		return bytes.Equal(given, payload) && verifySigned(metadata.ROOT, alone, metadata.ROOT, &signed) == nil
	}
}

// keyVerifier verifies by one key, of the kinds that handsets use.
func keyVerifier(k *metadata.Key) func(payload, sig []byte) bool {
	public, err := k.ToPublicKey()
	if err != nil {
		return func(_, _ []byte) bool { return false }
	}
	return func(payload, sig []byte) bool {
		switch key := public.(type) {
		case ed25519.PublicKey:
			return ed25519.Verify(key, payload, sig)
		case *ecdsa.PublicKey:
			sum := sha256.Sum256(payload)
			return key.Curve == elliptic.P256() && ecdsa.VerifyASN1(key, sum[:], sig)
		}
		return false
	}
}

func fingerprint(payload []byte) string { return fmt.Sprintf("%x", sha256.Sum256(payload)) }

// files are published metadata, or those that a proposal starts from.
type files struct {
	roots    [][]byte
	targets  []byte
	releases []byte // of one product
}

// parsed are the same as understood; nil is what is not there.
type parsed struct {
	root     *rootMeta
	targets  *targetsMeta
	releases *targetsMeta
}

func (f files) parse(product any) (*parsed, error) {
	out := &parsed{}
	var err error
	if n := len(f.roots); n > 0 {
		if out.root, err = parseRoot("root", f.roots[n-1]); err != nil {
			return nil, err
		}
	}
	if len(f.targets) > 0 {
		if out.targets, err = parseTargets("targets", f.targets); err != nil {
			return nil, err
		}
	}
	if len(f.releases) > 0 {
		out.releases, err = parseTargets(fmt.Sprintf("releases of %v", product), f.releases)
	}
	return out, err
}

// take puts a proposed role in the place of the old one.
func (s *parsed) take(r event.Role) error {
	file := []byte(`{"signatures":[],"signed":` + r.Signed + `}`)
	var err error
	switch r.Name {
	case metadata.ROOT:
		s.root, err = parseRoot(r.Name, file)
	case metadata.TARGETS:
		s.targets, err = parseTargets(r.Name, file)
	default:
		s.releases, err = parseTargets(r.Name, file)
	}
	return err
}

// payload is what a signature of the role covers.
func (s *parsed) payload(role string) ([]byte, error) {
	var signed any
	switch {
	case role == metadata.ROOT && s.root != nil:
		signed = s.root.Signed
	case role == metadata.TARGETS && s.targets != nil:
		signed = s.targets.Signed
	case role != metadata.ROOT && role != metadata.TARGETS && s.releases != nil:
		signed = s.releases.Signed
	default:
		return nil, nil
	}
	data, err := cjson.EncodeCanonical(signed)
	if err != nil {
		return nil, refuse(role, "%v", err)
	}
	return data, nil
}

// minPeople is the smallest number of people that may sign for others.
const minPeople = 2

// row is a row of a role table.
type row struct {
	ids       []string
	threshold int
	fields    map[string]any
	holders   map[string]string
	keys      map[string]*metadata.Key
}

// row finds who signs a role; the zero row if nobody is named.
func (s *parsed) row(role string) row {
	var out row
	switch {
	case role == metadata.ROOT || role == metadata.TARGETS:
		if s.root == nil || s.root.Signed.Roles[role] == nil {
			return out
		}
		r := s.root.Signed.Roles[role]
		out = row{ids: r.KeyIDs, threshold: r.Threshold, fields: r.UnrecognizedFields, keys: s.root.Signed.Keys}
	case s.targets != nil && s.targets.Signed.Delegations != nil:
		d := s.targets.Signed.Delegations
		for _, r := range d.Roles {
			if r.Name == role {
				out = row{ids: r.KeyIDs, threshold: r.Threshold, fields: r.UnrecognizedFields, keys: d.Keys}
			}
		}
	}
	out.holders = map[string]string{}
	if named, ok := out.fields[layout.FieldHolders].(map[string]any); ok {
		for id, name := range named {
			if text, ok := name.(string); ok {
				out.holders[id] = text
			}
		}
	}
	return out
}

// check refuses a row that one person could meet: by a threshold below two, a
// key that counts twice, or two keys of one person.
func (w row) check(role string) error {
	if len(w.ids) == 0 {
		return refuse(role, "no table says who signs it")
	}
	if w.threshold < minPeople || w.threshold > len(w.ids) {
		return refuse(role, "threshold %d of %d keys; it must be at least %d and at most the number of keys", w.threshold, len(w.ids), minPeople)
	}
	once := map[string]bool{}
	for _, id := range w.ids {
		k := w.keys[id]
		if once[id] || k == nil {
			return refuse(role, "key %.12s is listed twice, or not in the table of keys", id)
		}
		once[id] = true
		if real := (lint.Key{Type: k.Type, Scheme: k.Scheme, Public: k.Value.PublicKey}).ID(); real != id {
			return refuse(role, "a key is filed under %.12s, but its id is %.12s", id, real)
		}
	}
	seen := map[string]string{}
	for _, id := range w.ids {
		name := w.holders[id]
		if name == "" {
			continue // a table that other tools made, which names nobody
		}
		if err := event.CheckHolder(name); err != nil {
			return refuse(role, "%v", err)
		}
		if other, twice := seen[event.FoldHolder(name)]; twice {
			return refuse(role, "keys %.12s and %.12s are both %s's; one person has one key in a role", other, id, name)
		}
		seen[event.FoldHolder(name)] = id
	}
	return nil
}

// standing is a fingerprint of a role as it is signed, and of who signs it. A
// proposal fits as long as it is the same.
func (s *parsed) standing(role string) string {
	payload, err := s.payload(role)
	if err != nil {
		return ""
	}
	w := s.row(role)
	people := ""
	for _, id := range slices.Sorted(slices.Values(w.ids)) {
		people += " " + id + " " + w.holders[id]
	}
	return fingerprint(fmt.Appendf(payload, "\n%d%s", w.threshold, people))
}
