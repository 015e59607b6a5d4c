package event

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/strict"
)

// Image says how a signer looked at the images of a release.
type Image string

// How a signer looked at the images.
const (
	ImageNone       Image = ""           // the proposal has no images
	ImageBuilder    Image = "builder"    // built the release on this machine
	ImageRecomputed Image = "recomputed" // recomputed every hash from an image of his own
	ImageWithout    Image = "without"    // signed without an image of his own
)

// Statement says who signed, when, what and having looked at what. It is
// signed with the same key (Sig), so that nobody can put it in another's mouth.
type Statement struct {
	At     string `json:"at"` // RFC 3339
	KeyID  string `json:"keyid"`
	Holder string `json:"holder"`
	Image  Image  `json:"image,omitempty"`
	Parts  []Part `json:"parts"` // of the proposal, as the signer saw it
	Sig    string `json:"sig"`   // hex
}

// Rejection says who will not sign, and why. It is signed like a Statement. A
// signature that the same key makes later takes it back.
type Rejection struct {
	At     string `json:"at"` // RFC 3339
	KeyID  string `json:"keyid"`
	Holder string `json:"holder"`
	Reason string `json:"reason"`
	Parts  []Part `json:"parts"`
	Sig    string `json:"sig"` // hex
}

// What is signed begins with one of these, so that no signature of one kind
// passes for another; metadata begin with a brace.
const (
	statementPrefix = "candor-statement-1\n"
	rejectionPrefix = "candor-rejection-1\n"
)

// Bytes is what Sig signs.
func (s Statement) Bytes() ([]byte, error) {
	s.Sig = ""
	return prefixed(statementPrefix, s)
}

// Bytes is what Sig signs.
func (r Rejection) Bytes() ([]byte, error) {
	r.Sig = ""
	return prefixed(rejectionPrefix, r)
}

func prefixed(prefix string, v any) ([]byte, error) {
	data, err := strict.Canonical(v)
	if err != nil {
		return nil, fmt.Errorf("what is signed: %w", err)
	}
	return append([]byte(prefix), data...), nil
}

// maxSig bounds a signature in hex: Ed25519 has 128 digits, P-256 at most 144;
// the old root that is adopted may be signed with RSA of up to 8192 bits.
const maxSig = 2048

// checkForm refuses signatures, statements and rejections that are not in
// their form, whatever key they are of.
func (p *Proposal) checkForm() error {
	for _, r := range p.Roles {
		seen := map[string]bool{}
		for _, s := range r.Signatures {
			if seen[s.KeyID] {
				return fmt.Errorf("%s: key %s signed twice", r.Name, short(s.KeyID))
			}
			seen[s.KeyID] = true
			if p.Kind == RootAdopt && otherID.MatchString(s.KeyID) {
				continue // of a key in the old root, whose tool names keys as it likes
			}
			if err := checkHex(s.KeyID, s.Sig); err != nil {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
		}
	}
	said := map[string]bool{}
	for _, s := range p.Statements {
		if said[s.KeyID] {
			return fmt.Errorf("statement of %s: a second one of key %s", s.Holder, short(s.KeyID))
		}
		said[s.KeyID] = true
		if err := checkWord(word{s.At, s.KeyID, s.Holder, s.Parts, s.Sig}); err != nil {
			return fmt.Errorf("statement of %s: %w", s.Holder, err)
		}
	}
	clear(said)
	for _, r := range p.Rejections {
		if said[r.KeyID] {
			return fmt.Errorf("rejection of %s: a second one of key %s", r.Holder, short(r.KeyID))
		}
		said[r.KeyID] = true
		if err := checkWord(word{r.At, r.KeyID, r.Holder, r.Parts, r.Sig}); err != nil {
			return fmt.Errorf("rejection of %s: %w", r.Holder, err)
		}
		if err := CheckReason(r.Reason); err != nil {
			return fmt.Errorf("rejection of %s: %w", r.Holder, err)
		}
	}
	return nil
}

// word is what statements and rejections have in common.
type word struct {
	at, keyID, holder string
	parts             []Part
	sig               string
}

func checkWord(w word) error {
	if err := CheckHolder(w.holder); err != nil {
		return err
	}
	if _, err := time.Parse(time.RFC3339, w.at); err != nil {
		return fmt.Errorf("field \"at\": %w", err)
	}
	if len(w.parts) > maxParts {
		return fmt.Errorf("field \"parts\": %d; at most %d", len(w.parts), maxParts)
	}
	return checkHex(w.keyID, w.sig)
}

func checkHex(keyID, sig string) error {
	if raw, err := hex.DecodeString(keyID); err != nil || len(raw) != 32 || strings.ToLower(keyID) != keyID {
		return fmt.Errorf("key id %.80q is not 64 hex digits", keyID)
	}
	if _, err := hex.DecodeString(sig); err != nil || len(sig) > maxSig {
		return fmt.Errorf("signature of key %s is not hex", short(keyID))
	}
	return nil
}

// otherID is a key id as TUF allows it. Whether the signature is hex is seen
// when it is verified.
var otherID = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)

// CheckReason refuses a reason that is empty, over MaxReason bytes, or with
// characters that hide what it says.
func CheckReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return fmt.Errorf("reason: say why")
	case len(reason) > MaxReason:
		return fmt.Errorf("reason: %d bytes; at most %d", len(reason), MaxReason)
	}
	return strict.CheckText("reason", reason)
}

// short is the beginning of a key id or hash, for messages.
func short(id string) string { return id[:min(len(id), 12)] }
