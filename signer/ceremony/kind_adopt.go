package ceremony

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// AdoptOptions says who goes on from the root of another tool.
type AdoptOptions struct {
	Roots [][]byte // the whole chain, version 1 first
	InitOptions
	// TargetsVersion is the first version of targets here; zero is 1. It matters
	// only where the old and the new tree are served at one address.
	TargetsVersion int64
}

// Adopt proposes the first root of ours for a system that has handsets already,
// which trust a chain of roots that another tool made (python-tuf, tuf-on-ci,
// tough …). It is the next version of that chain, signed by enough of the old
// people and by everybody new; from it on every rule of ours holds. The keys of
// the service are new: no key of the old root may be one of them, so that
// handsets drop what the old service has told them.
func Adopt(o AdoptOptions) (*Proposal, error) {
	if len(o.Roots) == 0 {
		return nil, errors.New("no root to go on from; give every root of the old system, version 1 first")
	}
	last, err := readRoot(o.Roots[len(o.Roots)-1])
	if err != nil {
		return nil, err
	}
	first, err := Init(o.InitOptions)
	if err != nil {
		return nil, err
	}
	root, targets := first.view.root.Signed, first.view.targets.Signed
	root.Version = last.Signed.Version + 1
	targets.Version = max(o.TargetsVersion, 1)
	p := newProposal(KindAdopt, o.Now)
	for i, data := range o.Roots {
		// Other tools indent their files; signatures are over what they say.
		text, err := strict.Canonical(json.RawMessage(data))
		if err != nil {
			return nil, fmt.Errorf("root %d of the old system: %w", i+1, err)
		}
		p.Base.Roots = append(p.Base.Roots, string(text))
	}
	return p.finish(part{metadata.ROOT, root}, part{metadata.TARGETS, targets})
}

func (v *view) checkAdopt(p *Proposal) error {
	if err := noSubject(p); err != nil {
		return err
	}
	old := v.baseRoot()
	if v.root.Signed.Version != old.Signed.Version+1 {
		return fmt.Errorf("root: version %d must follow %d", v.root.Signed.Version, old.Signed.Version)
	}
	if n := len(v.targets.Signed.Delegations.Roles); n != 1 {
		return fmt.Errorf("targets: adopting delegates to the service alone, this delegates to %d roles", n)
	}
	online, err := onlineTables(v.root, v.targets)
	if err != nil {
		return err
	}
	for _, t := range online {
		public, err := t.keys[t.keyIDs[0]].Parse()
		if err != nil {
			return err
		}
		for id, k := range old.Signed.Keys {
			// A key that cannot be read here is none of ours.
			if other, err := readOther(id, k); err == nil && other.is(public) {
				return fmt.Errorf("role %s: its key is key %s of the old root; the service needs new keys, so that handsets drop what they know from the old one", t.name, short(id))
			}
		}
	}
	return nil
}

// adoptTables are the tables of a proposal that adopts: root answers to the old
// people, and everybody new signs it.
func (v *view) adoptTables(r *roleView, after roleTable) error {
	if r.name != metadata.ROOT {
		return nil
	}
	before, err := otherRole(v.baseRoot())
	if err != nil {
		return err
	}
	fresh := newcomers(roleTable{}, after)
	r.tables = append(r.tables, before, fresh)
	return nil
}

func describeAdopt(v *view, p *Proposal) []string {
	old := v.baseRoot().Signed
	lines := []string{
		fmt.Sprintf("A ROOT OF ANOTHER TOOL IS TAKEN OVER. Handsets trust a chain of %d roots; this is version %d, and from it on these people say who may sign what:", len(p.Base.Roots), v.root.Signed.Version),
	}
	if before, err := otherRole(v.baseRoot()); err == nil {
		line := fmt.Sprintf("  root before: %d of %d:", before.threshold, len(before.keyIDs))
		for _, id := range before.keyIDs {
			line += fmt.Sprintf(" %s (key %s)", before.holderOf(id), wordsOf(id))
		}
		lines = append(lines, line)
	}
	lines = append(lines, describeRoot(v.root)...)
	lines = append(lines, describeDelegations(v.targets)...)
	if anchor, err := anchorOf(v.roots[0]); err == nil {
		lines = append(lines, fmt.Sprintf("The chain begins with root version 1, words %s; compare them with what handsets left the factory with.", wordsOf(anchor.SHA256)))
	}
	return append(lines, fmt.Sprintf("What the old root named besides (it was good until %s) counts no more: its targets, delegations and service are not taken over.", old.Expires.Format(time.DateOnly)))
}

// UnsignedRoot gives the root that a proposal asks for as a TUF file with the
// signatures so far, for a tool that knows only these.
func (p *Proposal) UnsignedRoot() ([]byte, error) {
	i := slices.IndexFunc(p.Roles, func(r Role) bool { return r.Name == metadata.ROOT })
	if i < 0 {
		return nil, errors.New("the proposal asks for no root")
	}
	files, err := p.Files()
	if err != nil {
		return nil, err
	}
	return files.Metadata[fileName(metadata.ROOT, p.view.roles[i].version)], nil
}

// Attach takes signatures of the old people out of a root file that another tool
// signed. The file must say what the proposal says; other signatures in it are
// left alone. It gives the names of those whose signatures were taken.
func (p *Proposal) Attach(file []byte) ([]string, error) {
	if p.Kind != KindAdopt {
		return nil, fmt.Errorf("a proposal of kind %s is signed with this program; only a root that is adopted takes signatures of other tools", p.Kind)
	}
	given, err := readRoot(file)
	if err != nil {
		return nil, err
	}
	body, err := payload(given.Signed)
	if err != nil {
		return nil, err
	}
	const root = 0 // its place among the roles of this kind
	if !bytes.Equal(body, p.view.roles[root].payload) {
		return nil, fmt.Errorf("the file is another root (version %d) than the proposal's (version %d), or was changed; sign the one that `root attach --write` gives", given.Signed.Version, p.view.roles[root].version)
	}
	before, err := otherRole(p.view.baseRoot())
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, s := range given.Signatures {
		key, ok := before.foreign[s.KeyID]
		if !ok || p.signedBy(root, s.KeyID) || len(s.Signature) == 0 || !key.verify(body, s.Signature) {
			continue
		}
		p.Roles[root].Signatures = append(p.Roles[root].Signatures, Signature{KeyID: s.KeyID, Sig: hex.EncodeToString(s.Signature)})
		names = append(names, before.holderOf(s.KeyID))
	}
	if len(names) == 0 {
		return nil, errors.New("no signature in the file is by a key of the old root, holds, and is new here")
	}
	return names, p.CheckWords(p.view.ballots())
}

// otherID gives the id under which the old root lists a key of ours, if it does.
func (p *Proposal) otherID(key keyring.Public) (string, bool) {
	if p.Kind != KindAdopt {
		return "", false
	}
	public, err := key.Key.Parse()
	if err != nil {
		return "", false
	}
	for _, t := range p.view.roles[0].tables {
		for _, id := range t.keyIDs {
			if k, ok := t.foreign[id]; ok && id != key.KeyID && k.is(public) {
				return id, true
			}
		}
	}
	return "", false
}
