package ceremony

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/signer/keyring"
)

// Refusals of a signature. Each is a rule of the ceremony.
var (
	ErrWrongKey      = errors.New("this key may sign nothing in this proposal")
	ErrAlreadySigned = errors.New("this key has signed already; another person has to sign next")
	ErrOtherRoot     = errors.New("the proposal belongs to another root than the one you trust")
	ErrExpired       = event.ErrExpired
	ErrNoImage       = event.ErrNoImage
	ErrTwoBuilders   = event.ErrTwoBuilders
)

// TrustedBy checks that the proposal descends from the root that a names, or,
// for init, is that root.
func (p *Proposal) TrustedBy(a keyring.Anchor) error {
	roots := p.view.roots
	if p.Kind == KindInit {
		roots = []*rootMeta{p.view.root}
	}
	if a.Version > int64(len(roots)) {
		return fmt.Errorf("%w: it knows root up to version %d, you trust version %d; make it again from newer metadata", ErrOtherRoot, len(roots), a.Version)
	}
	have, err := anchorOf(roots[a.Version-1])
	if err != nil {
		return err
	}
	if !have.Same(a) {
		return fmt.Errorf("%w (root version %d is %s…, you trust %s…)", ErrOtherRoot, a.Version, short(have.SHA256), short(a.SHA256))
	}
	return nil
}

// Anchor names the oldest root of the proposal, for somebody who has accepted
// no root yet and compares it by words.
func (p *Proposal) Anchor() (keyring.Anchor, error) {
	if p.Kind == KindInit {
		return anchorOf(p.view.root)
	}
	return anchorOf(p.view.roots[0])
}

// CanSign says why a key, known by its public part, may not sign, or nil.
func (p *Proposal) CanSign(key keyring.Public, now time.Time) error {
	roles := p.rolesFor(key.KeyID)
	if id, ok := p.otherID(key); ok && len(roles) == 0 {
		if p.signedBy(0, id) {
			return fmt.Errorf("root: key %s: %w", key.Name, ErrAlreadySigned)
		}
		return p.CheckTimes(now)
	}
	if len(roles) == 0 {
		return fmt.Errorf("key %s of %s: %w; it needs %s", key.Name, key.Holder, ErrWrongKey, p.wanted())
	}
	if err := p.CheckTimes(now); err != nil {
		return err
	}
	for _, i := range roles {
		view := p.view.roles[i]
		if p.signedBy(i, key.KeyID) {
			return fmt.Errorf("%s: key %s: %w", view.name, key.Name, ErrAlreadySigned)
		}
		for _, t := range view.tables {
			if who, listed := t.holders[key.KeyID]; listed && !keyring.SameHolder(who, key.Holder) {
				return fmt.Errorf("%s: key %s is listed as %s's, but its file says %s", view.name, key.Name, who, key.Holder)
			}
		}
	}
	return nil
}

// Sign adds the key's signature to every role that it may sign, and its
// Statement; an error of the key leaves the proposal as it was. image says how the
// images of a release were looked at; it must be ImageNone for everything else.
func (p *Proposal) Sign(ctx context.Context, key keyring.Signer, image Image, now time.Time) error {
	public := key.Public()
	if err := p.CanSign(public, now); err != nil {
		return err
	}
	if err := p.checkImage(image); err != nil {
		return err
	}
	other, err := p.signOld(ctx, key)
	if err != nil {
		return err
	}
	roles := p.rolesFor(public.KeyID)
	if len(roles) > 0 {
		if err := p.signRoles(ctx, key, roles, image, now); err != nil {
			return err
		}
	}
	p.Roles[0].Signatures = append(p.Roles[0].Signatures, other...)
	return p.CheckWords(p.view.ballots())
}

// signOld gives the signature of somebody whom an old root lists under an id of
// another tool's.
func (p *Proposal) signOld(ctx context.Context, key keyring.Signer) ([]Signature, error) {
	id, ok := p.otherID(key.Public())
	if !ok || p.signedBy(0, id) {
		return nil, nil
	}
	sig, err := key.Sign(ctx, p.view.roles[0].payload)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	return []Signature{{KeyID: id, Sig: hex.EncodeToString(sig)}}, nil
}

// signRoles adds the key's signature to some roles, and its Statement.
func (p *Proposal) signRoles(ctx context.Context, key keyring.Signer, roles []int, image Image, now time.Time) error {
	public := key.Public()
	parts, err := p.Parts()
	if err != nil {
		return err
	}
	statement := Statement{At: seconds(now).Format(time.RFC3339), KeyID: public.KeyID, Holder: public.Holder, Image: image, Parts: parts}
	said, err := statement.Bytes()
	if err != nil {
		return err
	}
	sig, err := key.Sign(ctx, said)
	if err != nil {
		return err
	}
	statement.Sig = hex.EncodeToString(sig)
	sigs := make([]Signature, len(roles))
	for n, i := range roles { // all of them before any is added: a token may be pulled in between
		sig, err := key.Sign(ctx, p.view.roles[i].payload)
		if err != nil {
			return fmt.Errorf("%s: %w", p.view.roles[i].name, err)
		}
		sigs[n] = Signature{KeyID: public.KeyID, Sig: hex.EncodeToString(sig)}
	}
	for n, i := range roles {
		p.Roles[i].Signatures = append(p.Roles[i].Signatures, sigs[n])
	}
	p.Statements = append(p.Statements, statement)
	return nil
}

// checkImage enforces that a release is not signed without looking.
func (p *Proposal) checkImage(image Image) error {
	if !p.Kind.HasImages() {
		if image != ImageNone {
			return fmt.Errorf("a proposal of kind %s has no images", p.Kind)
		}
		return nil
	}
	switch image {
	case ImageRecomputed, ImageWithout:
		return nil
	case ImageBuilder:
		for _, s := range p.Statements {
			if s.Image == ImageBuilder {
				return fmt.Errorf("%w (%s did)", ErrTwoBuilders, s.Holder)
			}
		}
		return nil
	default:
		return ErrNoImage
	}
}

// rolesFor lists the roles, by place, that a key may sign.
func (p *Proposal) rolesFor(keyID string) []int {
	var places []int
	for i, r := range p.view.roles {
		if slices.ContainsFunc(r.tables, func(t roleTable) bool { return slices.Contains(t.keyIDs, keyID) }) {
			places = append(places, i)
		}
	}
	return places
}

func (p *Proposal) signedBy(i int, keyID string) bool {
	return slices.ContainsFunc(p.Roles[i].Signatures, func(s Signature) bool { return s.KeyID == keyID })
}

// wanted names the people whose signatures are asked for.
func (p *Proposal) wanted() string {
	var parts []string
	for _, r := range p.view.roles {
		parts = append(parts, fmt.Sprintf("%s: %s", r.name, strings.Join(r.tables[0].people(), ", ")))
	}
	return strings.Join(parts, "; ")
}
