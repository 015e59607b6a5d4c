package ceremony

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/signer/keyring"
)

// ErrIncomplete means that signatures are still missing.
var ErrIncomplete = errors.New("not signed by enough people yet")

// checkSignatures verifies every signature and statement that p carries. One
// that does not hold, one of a foreign key, a second one of a key, and one
// without its statement are refused: a proposal with such a thing was damaged
// or tampered with on its way.
func (p *Proposal) checkSignatures() error {
	signed := map[string]keyring.Key{}
	for i, r := range p.Roles {
		if len(r.Signatures) > MaxSignatures {
			return fmt.Errorf("%s: %d signatures; at most %d", r.Name, len(r.Signatures), MaxSignatures)
		}
		seen := map[string]bool{}
		for _, s := range r.Signatures {
			if seen[s.KeyID] {
				return fmt.Errorf("%s: key %s signed twice", r.Name, short(s.KeyID))
			}
			seen[s.KeyID] = true
			key, err := p.view.roles[i].verify(s)
			if err != nil {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
			signed[s.KeyID] = key
		}
	}
	return p.checkStatements(signed)
}

// verify checks one signature and gives the key that made it.
func (r *roleView) verify(s Signature) (keyring.Key, error) {
	sig, err := hex.DecodeString(s.Sig)
	if err != nil {
		return keyring.Key{}, fmt.Errorf("signature of key %s is not hex", short(s.KeyID))
	}
	for _, t := range r.tables {
		key, ok := t.keys[s.KeyID]
		if !ok {
			continue
		}
		if !key.Verify(r.payload, sig) {
			return keyring.Key{}, fmt.Errorf("signature of %s (key %s) is not valid", t.holderOf(s.KeyID), short(s.KeyID))
		}
		return key, nil
	}
	return keyring.Key{}, fmt.Errorf("signed by key %s, which may not sign this role", short(s.KeyID))
}

// checkStatements requires one valid statement for each key that signed.
func (p *Proposal) checkStatements(signed map[string]keyring.Key) error {
	said := map[string]bool{}
	builders := 0
	for _, s := range p.Statements {
		key, ok := signed[s.KeyID]
		if !ok || said[s.KeyID] {
			return fmt.Errorf("statement of %s: does not belong to one signature", s.Holder)
		}
		said[s.KeyID] = true
		if err := p.checkStatement(s, key); err != nil {
			return fmt.Errorf("statement of %s: %w", s.Holder, err)
		}
		if s.Image == ImageBuilder {
			builders++
		}
	}
	for id := range signed {
		if !said[id] {
			return fmt.Errorf("key %s signed without a statement", short(id))
		}
	}
	if builders > 1 {
		return ErrTwoBuilders
	}
	return nil
}

func (p *Proposal) checkStatement(s Statement, key keyring.Key) error {
	if _, err := time.Parse(time.RFC3339, s.At); err != nil {
		return fmt.Errorf("field \"at\": %w", err)
	}
	for _, r := range p.view.roles {
		for _, t := range r.tables {
			if who, ok := t.holders[s.KeyID]; ok && !keyring.SameHolder(who, s.Holder) {
				return fmt.Errorf("the key is %s's", who)
			}
		}
	}
	switch known := s.Image == ImageBuilder || s.Image == ImageRecomputed || s.Image == ImageWithout; {
	case p.Kind == KindRelease && !known:
		return ErrNoImage
	case p.Kind != KindRelease && s.Image != ImageNone:
		return errors.New("speaks of images where there are none")
	}
	said, err := p.statementBytes(s)
	if err != nil {
		return err
	}
	sig, err := hex.DecodeString(s.Sig)
	if err != nil || !key.Verify(said, sig) {
		return errors.New("its signature is not valid")
	}
	return nil
}

// RoleStatus says how far one role of a proposal is.
type RoleStatus struct {
	Role      string   `json:"role"`
	Version   int64    `json:"version"`
	Expires   string   `json:"expires"`
	Signed    []string `json:"signed"`  // people who have signed
	Waiting   []string `json:"waiting"` // people who may still sign
	Threshold int      `json:"threshold"`
	Complete  bool     `json:"complete"`
}

// Status tells, per role, who has signed and who may.
func (p *Proposal) Status() []RoleStatus {
	all := make([]RoleStatus, len(p.Roles))
	for i, r := range p.view.roles {
		s := RoleStatus{
			Role: r.name, Version: r.version, Expires: r.expires.Format(time.RFC3339),
			Signed: []string{}, Waiting: []string{}, Threshold: r.tables[0].threshold, Complete: true,
		}
		for n, t := range r.tables {
			have := 0
			for _, id := range t.keyIDs {
				signed := p.signedBy(i, id)
				if signed {
					have++
				}
				switch {
				case n > 0:
				case signed:
					s.Signed = append(s.Signed, t.holderOf(id))
				default:
					s.Waiting = append(s.Waiting, t.holderOf(id))
				}
			}
			s.Complete = s.Complete && have >= t.threshold
		}
		all[i] = s
	}
	return all
}

// Complete is nil when every role is signed by enough people, and otherwise an
// ErrIncomplete that says whose signatures are missing.
func (p *Proposal) Complete() error {
	for _, s := range p.Status() {
		if !s.Complete {
			return fmt.Errorf("%s: %w: %d of %d; it waits for %d more of %s", s.Role, ErrIncomplete,
				len(s.Signed), s.Threshold, s.Threshold-len(s.Signed), joinNames(s.Waiting))
		}
	}
	return nil
}

// Unseen lists those who signed a release without an image of their own.
func (p *Proposal) Unseen() []string {
	names := []string{}
	for _, s := range p.Statements {
		if s.Image == ImageWithout {
			names = append(names, s.Holder)
		}
	}
	return names
}
