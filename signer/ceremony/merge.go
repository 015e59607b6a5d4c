package ceremony

import (
	"errors"
	"slices"
)

// ErrOtherProposal means that two files are not copies of one proposal.
var ErrOtherProposal = errors.New("these are two different proposals, not two copies of one")

// Merge joins two copies of one proposal that were signed in parallel.
// Signatures of a key that both hold are taken from a.
func Merge(a, b *Proposal) (*Proposal, error) {
	if a.Hash() != b.Hash() {
		return nil, ErrOtherProposal
	}
	m := *a
	m.Roles = slices.Clone(a.Roles)
	m.Statements = slices.Clone(a.Statements)
	added := map[string]bool{}
	for _, s := range b.Statements {
		if !slices.ContainsFunc(a.Statements, func(have Statement) bool { return have.KeyID == s.KeyID }) {
			m.Statements = append(m.Statements, s)
			added[s.KeyID] = true
		}
	}
	for i := range m.Roles {
		m.Roles[i].Signatures = slices.Clone(a.Roles[i].Signatures)
		for _, s := range b.Roles[i].Signatures {
			if added[s.KeyID] {
				m.Roles[i].Signatures = append(m.Roles[i].Signatures, s)
			}
		}
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}
