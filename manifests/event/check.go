package event

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Rules of the ceremony that a word can break.
var (
	ErrNoImage     = errors.New("a release is not signed blind: give your own copy of each raw image, or say that you are the builder")
	ErrTwoBuilders = errors.New("somebody else has signed as the builder; give your own copy of each raw image")
	ErrForeignKey  = errors.New("which may not sign this")
)

// Seat is a key that counts for a role.
type Seat struct {
	Holder string // the person; empty where the table names nobody
	// Bare says that a signature may come without a statement: of a key in an old
	// root that is adopted, signed by a tool that knows of none.
	Bare   bool
	Verify func(payload, sig []byte) bool
}

// Ballot is what a reader believes about one role of a proposal: the bytes
// that are signed, and whose keys count, by key id.
type Ballot struct {
	Payload []byte
	Seats   map[string]Seat
}

// CheckWords verifies every signature, statement and rejection. ballots are in
// the order of Roles. A signature that does not hold, one of a foreign key, a
// second one of a key or one without its statement is refused, and so is a
// word about other parts than these (ErrAltered): such a proposal was damaged
// or tampered with on its way.
func (p *Proposal) CheckWords(ballots []Ballot) error {
	c := checker{p: p, ballots: ballots, signed: map[string]bool{}, bare: map[string]bool{}}
	var err error
	if c.parts, err = p.Parts(); err != nil {
		return err
	}
	// Words first: they tell what was altered, which a signature cannot.
	for _, s := range p.Statements {
		if err := c.statement(s); err != nil {
			return fmt.Errorf("statement of %s: %w", s.Holder, err)
		}
	}
	for _, r := range p.Rejections {
		if err := c.rejection(r); err != nil {
			return fmt.Errorf("rejection of %s: %w", r.Holder, err)
		}
	}
	for i, r := range p.Roles {
		for _, s := range r.Signatures {
			if err := c.signature(i, s); err != nil {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
		}
	}
	return c.together()
}

type checker struct {
	p       *Proposal
	ballots []Ballot
	parts   []Part
	signed  map[string]bool // key ids
	bare    map[string]bool // those of them that need no statement
}

// seat finds a key in any role.
func (c *checker) seat(keyID string) (Seat, bool) {
	for _, b := range c.ballots {
		if s, ok := b.Seats[keyID]; ok {
			return s, true
		}
	}
	return Seat{}, false
}

func (c *checker) statement(s Statement) error {
	said, err := s.Bytes()
	if err != nil {
		return err
	}
	if err := c.word(word{s.At, s.KeyID, s.Holder, s.Parts, s.Sig}, said); err != nil {
		return err
	}
	switch known := s.Image == ImageBuilder || s.Image == ImageRecomputed || s.Image == ImageWithout; {
	case c.p.Kind.HasImages() && !known:
		return ErrNoImage
	case !c.p.Kind.HasImages() && s.Image != ImageNone:
		return errors.New("speaks of images where there are none")
	}
	return nil
}

func (c *checker) rejection(r Rejection) error {
	said, err := r.Bytes()
	if err != nil {
		return err
	}
	return c.word(word{r.At, r.KeyID, r.Holder, r.Parts, r.Sig}, said)
}

// word checks who said it, that it was said, and about what.
func (c *checker) word(w word, said []byte) error {
	seat, ok := c.seat(w.keyID)
	if !ok {
		return fmt.Errorf("is of key %s, %w", short(w.keyID), ErrForeignKey)
	}
	if seat.Holder != "" && !SameHolder(seat.Holder, w.holder) {
		return fmt.Errorf("the key is %s's", seat.Holder)
	}
	sig, err := hex.DecodeString(w.sig)
	if err != nil || !seat.Verify(said, sig) {
		return errors.New("its signature is not valid")
	}
	if differs := Differences(w.parts, c.parts); differs != "" {
		return fmt.Errorf("%w: what differs is %s. Get the file again from whoever made it", ErrAltered, differs)
	}
	return nil
}

func (c *checker) signature(i int, s Signature) error {
	seat, ok := c.ballots[i].Seats[s.KeyID]
	if !ok {
		return fmt.Errorf("signed by key %s, %w", short(s.KeyID), ErrForeignKey)
	}
	sig, err := hex.DecodeString(s.Sig)
	if err != nil || !seat.Verify(c.ballots[i].Payload, sig) {
		return fmt.Errorf("signature of %s (key %s) is not valid", seat.Holder, short(s.KeyID))
	}
	c.signed[s.KeyID], c.bare[s.KeyID] = true, seat.Bare
	return nil
}

// together holds statements against signatures.
func (c *checker) together() error {
	said, builders := map[string]bool{}, 0
	for _, s := range c.p.Statements {
		if !c.signed[s.KeyID] {
			return fmt.Errorf("statement of %s: does not belong to a signature", s.Holder)
		}
		said[s.KeyID] = true
		if s.Image == ImageBuilder {
			builders++
		}
	}
	for id := range c.signed {
		if !said[id] && !c.bare[id] {
			return fmt.Errorf("key %s signed without a statement", short(id))
		}
	}
	if builders > 1 {
		return ErrTwoBuilders
	}
	return nil
}
