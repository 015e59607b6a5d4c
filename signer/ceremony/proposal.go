package ceremony

import (
	"fmt"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/signer/keyring"
)

// MaxProposal is the largest proposal that is read.
const MaxProposal = event.MaxProposal

// The wire format is package event's, which the server reads too.
type (
	Kind      = event.Kind
	Base      = event.Base
	Role      = event.Role
	Signature = event.Signature
	Document  = event.Document
	Image     = event.Image
	Statement = event.Statement
	Rejection = event.Rejection
)

// The kinds of proposal.
const (
	KindInit     = event.Init
	KindProduct  = event.ProductAdd
	KindRelease  = event.Release
	KindWithdraw = event.Withdraw
	KindRenew    = event.Renew
	KindOnline   = event.OnlineKeys

	KindRootPeople    = event.RootPeople
	KindProductPeople = event.ProductPeople
	KindRetire        = event.ProductRetire

	KindReleasesRetire = event.ReleasesRetire
	KindAdopt          = event.RootAdopt
	KindSpare          = event.SpareVotes
)

// How a signer looked at the images.
const (
	ImageNone       = event.ImageNone
	ImageBuilder    = event.ImageBuilder
	ImageRecomputed = event.ImageRecomputed
	ImageWithout    = event.ImageWithout
)

// Proposal is a proposal after every check that needs no trust of its own.
// Parse and the functions that make one return it so.
type Proposal struct {
	event.Proposal

	view *view
}

// Parse reads a proposal: limits and strict form first, then every check that
// needs no trust of its own (signatures, versions, rules, hashes).
func Parse(data []byte) (*Proposal, error) {
	wire, err := event.Parse(data)
	if err != nil {
		return nil, err
	}
	return checked(*wire)
}

func checked(wire event.Proposal) (*Proposal, error) {
	p := &Proposal{Proposal: wire}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	return p, nil
}

// Read is Parse of a file.
func Read(path string) (*Proposal, error) {
	data, err := keyring.ReadFile(path, MaxProposal)
	if err != nil {
		return nil, err
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Write replaces the file at path by the proposal.
func (p *Proposal) Write(path string) error {
	data, err := p.Marshal()
	if err != nil {
		return err
	}
	return keyring.WriteFile(path, data, 0o644)
}

// Hash names what is signed: 64 hex digits, the same for every copy of the
// proposal whatever signatures it holds.
func (p *Proposal) Hash() string { return p.view.hash }

// Words is the Hash as words to read aloud.
func (p *Proposal) Words() string {
	words, err := keyring.Words(p.view.hash)
	if err != nil {
		panic(err) // the hash is ours and always well-formed
	}
	return words
}
