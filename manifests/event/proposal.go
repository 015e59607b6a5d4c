package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Format is the first word of a proposal's file.
const Format = "candor-proposal-1"

// Bounds of a proposal. All are far beyond what a system uses; they keep a
// file of unknown origin from taking memory or hours.
const (
	// MaxProposal is the largest file that is read: a hundred live releases of
	// 40 kB each and their roles are half of it.
	MaxProposal = 8 << 20
	// MaxSignatures bounds the signatures of one role, and the people who may
	// say anything at all.
	MaxSignatures = 32
	// MaxRoots bounds the chain of roots: one a year for a thousand years.
	MaxRoots = 1024
	// MaxLive bounds the live releases of a product; handsets read all of them.
	MaxLive = 100
	// MaxReason bounds why somebody rejects, in bytes.
	MaxReason = 2000
	// MaxLife is how long signed metadata may last, from when the proposal was
	// made: a year and some days. What lasts longer protects nobody.
	MaxLife = 400 * 24 * time.Hour
	// MaxAhead is how far a clock may be ahead of another.
	MaxAhead = 24 * time.Hour
)

// Proposal is what a few people are to sign, on its way between them. Parse
// gives it checked.
type Proposal struct {
	Format     string            `json:"format"`
	Kind       Kind              `json:"kind"`
	Product    manifests.Product `json:"product,omitempty"`
	Build      manifests.Build   `json:"build,omitempty"`
	Created    string            `json:"created"` // RFC 3339
	Base       Base              `json:"base"`
	Roles      []Role            `json:"roles"`
	Documents  []Document        `json:"documents"` // new target files
	Statements []Statement       `json:"statements"`
	Rejections []Rejection       `json:"rejections"`
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

// Parse reads a proposal: limits and strict form, and that it signs the roles
// of its kind. Signatures are checked by CheckWords, for which the reader has
// to say whose keys count.
func Parse(data []byte) (*Proposal, error) {
	var p Proposal
	if err := strict.Decode(data, MaxProposal, &p); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	return &p, nil
}

// Check is what Parse does after decoding, for a proposal that was just made.
func (p *Proposal) Check() error {
	if p.Format != Format {
		return fmt.Errorf("field \"format\": %q; this program reads %q", p.Format, Format)
	}
	if _, err := time.Parse(time.RFC3339, p.Created); err != nil {
		return fmt.Errorf("field \"created\": %w", err)
	}
	if err := p.checkRoles(); err != nil {
		return err
	}
	if err := p.checkSizes(); err != nil {
		return err
	}
	return p.checkForm()
}

func (p *Proposal) checkSizes() error {
	switch {
	case len(p.Base.Roots) > MaxRoots:
		return fmt.Errorf("base: %d roots; at most %d", len(p.Base.Roots), MaxRoots)
	case len(p.Base.Documents) > MaxLive || len(p.Documents) > MaxLive:
		return fmt.Errorf("%d live releases and %d documents; at most %d of each", len(p.Base.Documents), len(p.Documents), MaxLive)
	case len(p.Statements) > MaxSignatures || len(p.Rejections) > MaxSignatures:
		return fmt.Errorf("%d statements and %d rejections; at most %d of each", len(p.Statements), len(p.Rejections), MaxSignatures)
	}
	for _, r := range p.Roles {
		if len(r.Signatures) > MaxSignatures {
			return fmt.Errorf("%s: %d signatures; at most %d", r.Name, len(r.Signatures), MaxSignatures)
		}
		if len(r.Signed) > layout.MaxMetadataBytes {
			return fmt.Errorf("%s: %d bytes; at most %d, so that handsets verify it quickly", r.Name, len(r.Signed), layout.MaxMetadataBytes)
		}
	}
	for _, d := range append(append([]Document{}, p.Base.Documents...), p.Documents...) {
		if len(d.Body) > manifests.MaxReleaseBytes {
			return fmt.Errorf("document %.200q: %d bytes; at most %d", d.Path, len(d.Body), manifests.MaxReleaseBytes)
		}
	}
	return nil
}

// Marshal gives the bytes of the proposal's file.
func (p *Proposal) Marshal() ([]byte, error) {
	data, err := strict.Canonical(p)
	if err != nil {
		return nil, fmt.Errorf("proposal: %w", err)
	}
	if data = append(data, '\n'); len(data) > MaxProposal {
		return nil, fmt.Errorf("proposal: %d bytes; at most %d are read. Withdraw releases that no handset needs any more", len(data), MaxProposal)
	}
	return data, nil
}

// Head is what is said at the top of every role.
type Head struct {
	Version int64
	Expires time.Time
}

// Head reads version and expiry of what is to be signed.
func (r Role) Head() (Head, error) {
	var h struct {
		Version int64     `json:"version"`
		Expires time.Time `json:"expires"`
	}
	if err := json.Unmarshal([]byte(r.Signed), &h); err != nil {
		return Head{}, fmt.Errorf("%s: %w", r.Name, err)
	}
	if h.Version < 1 || h.Expires.IsZero() {
		return Head{}, fmt.Errorf("%s: says no version or no expiry", r.Name)
	}
	return Head{Version: h.Version, Expires: h.Expires.UTC()}, nil
}

// Refusals for the sake of time.
var (
	ErrExpired = errors.New("expired")
	ErrFuture  = errors.New("comes from the future")
)

// Expires is when the first role of the proposal expires. It cannot be
// published from then on.
func (p *Proposal) Expires() (time.Time, error) {
	var first time.Time
	for _, r := range p.Roles {
		h, err := r.Head()
		if err != nil {
			return first, err
		}
		if first.IsZero() || h.Expires.Before(first) {
			first = h.Expires
		}
	}
	return first, nil
}

// CheckTimes refuses a proposal that is ErrExpired, that is dated in the
// future, or whose roles would last longer than MaxLife.
func (p *Proposal) CheckTimes(now time.Time) error {
	created, err := time.Parse(time.RFC3339, p.Created)
	if err != nil {
		return fmt.Errorf("field \"created\": %w", err)
	}
	if created.After(now.Add(MaxAhead)) {
		return fmt.Errorf("%w: it says that it was made at %s, and here it is %s; one of the two clocks is wrong",
			ErrFuture, p.Created, now.UTC().Format(time.RFC3339))
	}
	for _, r := range p.Roles {
		h, err := r.Head()
		switch {
		case err != nil:
			return err
		case !h.Expires.After(now):
			return fmt.Errorf("%s: %w on %s; make the proposal again", r.Name, ErrExpired, h.Expires.Format(time.DateOnly))
		case h.Expires.After(created.Add(MaxLife)):
			return fmt.Errorf("%s: %w: it would expire on %s, more than %d days after it was made", r.Name, ErrFuture,
				h.Expires.Format(time.DateOnly), int(MaxLife.Hours()/24))
		}
	}
	return nil
}
