package vote

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// The fixed byte strings of the protocol, each a type of its own so that one
// cannot stand for another. All are standard base64 with padding in JSON.
type (
	// DeviceKey is the Ed25519 public key that a handset made on opt-in.
	DeviceKey [32]byte
	// Signature is an Ed25519 signature.
	Signature [64]byte
	// Nonce is the secret input of the VOPRF until the vote is cast.
	Nonce [32]byte
	// Blind is the canonical scalar that hides the nonce.
	Blind [32]byte
	// Blinded is the group element that is sent to be evaluated.
	Blinded [32]byte
	// Evaluated is the element that comes back.
	Evaluated [32]byte
	// Proof is the DLEQ proof, challenge then response.
	Proof [64]byte
	// MAC authenticates one vote under one token.
	MAC [16]byte
)

// UnmarshalText reads base64 of the exact length.
func (k *DeviceKey) UnmarshalText(b []byte) error { return decode(k[:], b, "a device key") }

// MarshalText writes base64.
func (k DeviceKey) MarshalText() ([]byte, error) { return encode(k[:]), nil }

func (k DeviceKey) String() string { return string(encode(k[:])) }

// UnmarshalText reads base64 of the exact length.
func (s *Signature) UnmarshalText(b []byte) error { return decode(s[:], b, "a signature") }

// MarshalText writes base64.
func (s Signature) MarshalText() ([]byte, error) { return encode(s[:]), nil }

// UnmarshalText reads base64 of the exact length.
func (n *Nonce) UnmarshalText(b []byte) error { return decode(n[:], b, "a nonce") }

// MarshalText writes base64.
func (n Nonce) MarshalText() ([]byte, error) { return encode(n[:]), nil }

// UnmarshalText reads base64 of the exact length.
func (b *Blind) UnmarshalText(text []byte) error { return decode(b[:], text, "a blind") }

// MarshalText writes base64.
func (b Blind) MarshalText() ([]byte, error) { return encode(b[:]), nil }

// UnmarshalText reads base64 of the exact length; Evaluate checks the element.
func (e *Blinded) UnmarshalText(b []byte) error { return decode(e[:], b, "an element") }

// MarshalText writes base64.
func (e Blinded) MarshalText() ([]byte, error) { return encode(e[:]), nil }

// UnmarshalText reads base64 of the exact length; Finish checks the element.
func (e *Evaluated) UnmarshalText(b []byte) error { return decode(e[:], b, "an element") }

// MarshalText writes base64.
func (e Evaluated) MarshalText() ([]byte, error) { return encode(e[:]), nil }

// UnmarshalText reads base64 of the exact length.
func (p *Proof) UnmarshalText(b []byte) error { return decode(p[:], b, "a proof") }

// MarshalText writes base64.
func (p Proof) MarshalText() ([]byte, error) { return encode(p[:]), nil }

// UnmarshalText reads base64 of the exact length.
func (m *MAC) UnmarshalText(b []byte) error { return decode(m[:], b, "a mac") }

// MarshalText writes base64.
func (m MAC) MarshalText() ([]byte, error) { return encode(m[:]), nil }

// String keeps a MAC out of logs: with it, whoever reads the log could guess
// which of the few possible votes it belongs to.
func (MAC) String() string { return "mac(hidden)" }

func encode(b []byte) []byte { return base64.StdEncoding.AppendEncode(nil, b) }

func decode(into, text []byte, what string) error {
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(raw, text)
	// The length of the text is checked too, because the decoder skips line breaks.
	if err != nil || n != len(into) || len(text) != base64.StdEncoding.EncodedLen(n) {
		return fmt.Errorf("is not %s: use %d bytes in base64", what, len(into))
	}
	copy(into, raw)
	return nil
}

// frame joins a label and its fields without ambiguity; see the package comment.
func frame(label string, fields ...[]byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(label)))
	b = append(b, label...)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint16(b, uint16(len(f)))
		b = append(b, f...)
	}
	return b
}

func (r Ref) product() []byte { return []byte(r.Product) }

func (r Ref) build() []byte { return binary.BigEndian.AppendUint64(nil, uint64(r.Build)) }
