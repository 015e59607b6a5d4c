package ceremony

import "github.com/candor-ota/candor/manifests/event"

// ErrOtherProposal means that two files are not copies of one proposal.
var ErrOtherProposal = event.ErrOther

// Merge joins two copies of one proposal on which people worked in parallel,
// with the same result in any order.
func Merge(a, b *Proposal) (*Proposal, error) {
	wire, err := event.Merge(&a.Proposal, &b.Proposal)
	if err != nil {
		return nil, err
	}
	return checked(*wire)
}
