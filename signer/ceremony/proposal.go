package ceremony

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/signer/keyring"
)

const (
	proposalFormat = "candor-proposal-1"
	// MaxProposal is the largest proposal that is read.
	MaxProposal = 8 << 20
	// MaxSignatures bounds the signatures of one role.
	MaxSignatures = 32
)

// Kind says what a proposal does. Each kind allows exactly one change.
type Kind string

// The kinds of proposal.
const (
	KindInit     Kind = "init"        // the first root and targets
	KindProduct  Kind = "product-add" // one more delegation, and its empty role
	KindRelease  Kind = "release"     // one more release of a product
	KindWithdraw Kind = "withdraw"    // one release less
	KindRenew    Kind = "renew"       // a later expiry, nothing else
)

// Proposal is what a few people are to sign, on its way between them.
// Parse and the functions that make one return it checked.
type Proposal struct {
	Format     string            `json:"format"`
	Kind       Kind              `json:"kind"`
	Product    manifests.Product `json:"product,omitempty"`
	Build      manifests.Build   `json:"build,omitempty"`
	Created    string            `json:"created"` // RFC 3339, for people only
	Base       Base              `json:"base"`
	Roles      []Role            `json:"roles"`
	Documents  []Document        `json:"documents"` // new target files
	Statements []Statement       `json:"statements"`

	view *view
}

// Base is the published metadata that a proposal replaces. Files are kept as
// text, byte for byte as they were published.
type Base struct {
	Roots     []string   `json:"roots"` // version 1 up; empty only for init
	Targets   string     `json:"targets,omitempty"`
	Releases  string     `json:"releases,omitempty"` // of the product
	Documents []Document `json:"documents"`          // every live release of the product
}

// Role is one piece of metadata to be signed.
type Role struct {
	Name       string      `json:"name"`
	Signed     string      `json:"signed"` // JSON text of the part that is signed
	Signatures []Signature `json:"signatures"`
}

// Signature is one signature of a Role, over its canonical JSON.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // hex
}

// Document is one target file, by its path in the published tree.
type Document struct {
	Path string `json:"path"`
	Body string `json:"body"`
}

// Image says how a signer looked at the images of a release.
type Image string

// How a signer looked at the images.
const (
	ImageNone       Image = ""           // the proposal has no images
	ImageBuilder    Image = "builder"    // built the release on this machine
	ImageRecomputed Image = "recomputed" // recomputed every hash from an image of his own
	ImageWithout    Image = "without"    // signed without an image of his own
)

// Statement says who signed, when and having looked at what. It is signed with
// the same key (Sig), so that nobody can put it in another's mouth.
type Statement struct {
	At     string `json:"at"` // RFC 3339
	KeyID  string `json:"keyid"`
	Holder string `json:"holder"`
	Image  Image  `json:"image,omitempty"`
	Sig    string `json:"sig"` // hex
}

// content is the part of a proposal that everybody signs the same.
type content struct {
	Kind      Kind              `json:"kind"`
	Product   manifests.Product `json:"product"`
	Build     manifests.Build   `json:"build"`
	Base      Base              `json:"base"`
	Roles     []roleContent     `json:"roles"`
	Documents []Document        `json:"documents"`
}

type roleContent struct {
	Name   string `json:"name"`
	Signed string `json:"signed"`
}

// Parse reads a proposal: limits and strict form first, then every check that
// needs no trust of its own (signatures, versions, rules, hashes).
func Parse(data []byte) (*Proposal, error) {
	var p Proposal
	if err := strict.Decode(data, MaxProposal, &p); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	if p.Format != proposalFormat {
		return nil, fmt.Errorf("proposal: format %q; this program reads %q", p.Format, proposalFormat)
	}
	if _, err := time.Parse(time.RFC3339, p.Created); err != nil {
		return nil, fmt.Errorf("proposal: field \"created\": %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	return &p, nil
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

// Marshal gives the bytes of the proposal's file.
func (p *Proposal) Marshal() ([]byte, error) {
	data, err := strict.Canonical(p)
	if err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	return append(data, '\n'), nil
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

func (p *Proposal) contentHash() (string, error) {
	c := content{Kind: p.Kind, Product: p.Product, Build: p.Build, Base: p.Base, Documents: p.Documents}
	for _, r := range p.Roles {
		c.Roles = append(c.Roles, roleContent{Name: r.Name, Signed: r.Signed})
	}
	data, err := strict.Canonical(c)
	if err != nil {
		return "", err
	}
	return hexSum(data), nil
}
