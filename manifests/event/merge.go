package event

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrOther means that two files are not copies of one proposal.
var ErrOther = errors.New("these are two different proposals, not two copies of one")

// Said is what one key has said about a proposal: what travels back from a
// signer, and what a server keeps of each.
type Said struct {
	KeyID      string            `json:"keyid"`
	Statement  *Statement        `json:"statement,omitempty"`
	Signatures map[string]string `json:"signatures,omitempty"` // by role, hex
	Rejection  *Rejection        `json:"rejection,omitempty"`
}

// Said gives what everybody has said, sorted by key.
func (p *Proposal) Said() []Said {
	by := map[string]*Said{}
	of := func(id string) *Said {
		if by[id] == nil {
			by[id] = &Said{KeyID: id}
		}
		return by[id]
	}
	for i := range p.Statements {
		of(p.Statements[i].KeyID).Statement = &p.Statements[i]
	}
	for i := range p.Rejections {
		of(p.Rejections[i].KeyID).Rejection = &p.Rejections[i]
	}
	for _, r := range p.Roles {
		for _, s := range r.Signatures {
			said := of(s.KeyID)
			if said.Signatures == nil {
				said.Signatures = map[string]string{}
			}
			said.Signatures[r.Name] = s.Sig
		}
	}
	out := make([]Said, 0, len(by))
	for _, s := range by {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Said) int { return cmp.Compare(a.KeyID, b.KeyID) })
	return out
}

// Bare is the proposal without what anybody has said.
func (p *Proposal) Bare() *Proposal {
	out := *p
	out.Roles = slices.Clone(p.Roles)
	for i := range out.Roles {
		out.Roles[i].Signatures = []Signature{}
	}
	out.Statements, out.Rejections = []Statement{}, []Rejection{}
	return &out
}

// With gives the proposal with what was said added to what it holds. Of two
// words of one key the one that compares lower stays, so that the order in
// which copies meet does not matter. It checks nothing: see CheckWords.
func (p *Proposal) With(all ...Said) *Proposal {
	by := map[string]Said{}
	for _, s := range append(p.Said(), all...) {
		by[s.KeyID] = joined(by[s.KeyID], s)
	}
	out := p.Bare()
	for _, id := range sortedKeys(by) {
		s := by[id]
		if s.Statement != nil {
			out.Statements = append(out.Statements, *s.Statement)
		}
		if s.Rejection != nil {
			out.Rejections = append(out.Rejections, *s.Rejection)
		}
		for i := range out.Roles {
			if sig, ok := s.Signatures[out.Roles[i].Name]; ok {
				out.Roles[i].Signatures = append(out.Roles[i].Signatures, Signature{KeyID: id, Sig: sig})
			}
		}
	}
	slices.SortStableFunc(out.Statements, func(a, b Statement) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.KeyID, b.KeyID)) })
	slices.SortStableFunc(out.Rejections, func(a, b Rejection) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.KeyID, b.KeyID)) })
	return out
}

func sortedKeys(by map[string]Said) []string {
	ids := make([]string, 0, len(by))
	for id := range by {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// joined takes of each word the lower one. A statement stands with the
// signatures that came with it: P-256 signs the same bytes in many ways.
func joined(a, b Said) Said {
	if a.KeyID == "" {
		return b
	}
	if b.Statement != nil && (a.Statement == nil || less(b.Statement.At+b.Statement.Sig, a.Statement.At+a.Statement.Sig)) {
		a.Statement, a.Signatures = b.Statement, b.Signatures
	}
	if a.Statement == nil && len(b.Signatures) > 0 && (len(a.Signatures) == 0 || less(bare(b), bare(a))) {
		a.Signatures = b.Signatures // of a key that needs no statement
	}
	if b.Rejection != nil && (a.Rejection == nil || less(b.Rejection.At+b.Rejection.Sig, a.Rejection.At+a.Rejection.Sig)) {
		a.Rejection = b.Rejection
	}
	return a
}

// bare is all signatures in one text, to compare two words without a statement.
func bare(s Said) string {
	var text string
	for _, role := range slices.Sorted(maps.Keys(s.Signatures)) {
		text += role + " " + s.Signatures[role] + "\n"
	}
	return text
}

func less(a, b string) bool { return a < b }

// Merge joins two copies of one proposal on which people worked in parallel.
// It checks nothing but that they are copies of one: see CheckWords.
func Merge(a, b *Proposal) (*Proposal, error) {
	one, err := a.Parts()
	if err != nil {
		return nil, err
	}
	two, err := b.Parts()
	if err != nil {
		return nil, err
	}
	if differs := Differences(one, two); differs != "" {
		return nil, fmt.Errorf("%w: what differs is %s", ErrOther, differs)
	}
	return a.With(b.Said()...), nil
}

// Rejected lists who has rejected and not signed since.
func (p *Proposal) Rejected() []Rejection {
	out := []Rejection{}
	for _, r := range p.Rejections {
		if !slices.ContainsFunc(p.Statements, func(s Statement) bool { return s.KeyID == r.KeyID }) {
			out = append(out, r)
		}
	}
	return out
}
