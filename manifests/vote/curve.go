package vote

import (
	"crypto"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/h2c"
)

// The private side of RFC 9497, on a library whose group is nearly twice as
// fast as that of the one with which handsets blind and verify: checking votes
// is what a server spends its time on. Tests hold the two against each other,
// byte for byte.

// context is the contextString of section 3.1 for the verifiable mode.
const context = "OPRFV1-\x01-ristretto255-SHA512"

// finalized is Evaluate of section 3.3.1: the token of a nonce.
func finalized(secret *scalar.Scalar, n Nonce) ([]byte, error) {
	p, err := h2c.Ristretto255_XMD_R255MAP_RO(crypto.SHA512, []byte("HashToGroup-"+context), n[:])
	if err != nil {
		return nil, fmt.Errorf("hash to the group: %w", err)
	}
	e := compressed(p.Mul(p, secret))
	sum := sha512.Sum512(append(transcript(n[:], e[:]), "Finalize"...))
	return sum[:], nil
}

// point decodes as RFC 9496, section 4.3.1, says: one encoding per element; and
// refuses the identity.
func point(b []byte) (*curve.RistrettoPoint, error) {
	p := curve.NewRistrettoPoint()
	if _, err := p.SetCompressed((*curve.CompressedRistretto)(b)); err != nil || p.IsIdentity() {
		return nil, ErrElement
	}
	return p, nil
}

func compressed(p *curve.RistrettoPoint) [32]byte {
	return *curve.NewCompressedRistretto().SetRistrettoPoint(p)
}

func product(p *curve.RistrettoPoint, s *scalar.Scalar) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().Mul(p, s)
}

// onBase multiplies the group's generator.
func onBase(s *scalar.Scalar) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s)
}

// proofSeed is the hash that begins every transcript under a public key.
func proofSeed(public []byte) []byte {
	sum := sha512.Sum512(transcript(public, []byte("Seed-"+context)))
	return sum[:]
}

// prove shows that evaluated is secret times blinded, under the public key, as
// section 2.2.1 says for one element.
func (k *Key) prove(blinded *curve.RistrettoPoint, b Blinded, evaluated Evaluated) (Proof, error) {
	r, err := scalar.New().SetRandom(rand.Reader)
	if err != nil {
		return Proof{}, fmt.Errorf("draw: %w", err)
	}
	return k.proveWith(r, blinded, b, evaluated)
}

// proveWith takes the randomness r, which must never be used twice.
func (k *Key) proveWith(r *scalar.Scalar, blinded *curve.RistrettoPoint, b Blinded, evaluated Evaluated) (proof Proof, err error) {
	composite := transcript(k.seed)
	composite = append(composite, 0, 0) // the index of the only element
	composite = append(composite, transcript(b[:], evaluated[:])...)
	d, err := toScalar(append(composite, "Composite"...))
	if err != nil {
		return proof, err
	}
	m := product(blinded, d)
	parts := [][]byte{k.public[:]}
	for _, p := range []*curve.RistrettoPoint{m, product(m, k.secret), onBase(r), product(m, r)} {
		e := compressed(p)
		parts = append(parts, e[:])
	}
	c, err := toScalar(append(transcript(parts...), "Challenge"...))
	if err != nil {
		return proof, err
	}
	s := scalar.New().Mul(c, k.secret)
	if err := c.ToBytes(proof[:32]); err != nil {
		return proof, err
	}
	return proof, s.Sub(r, s).ToBytes(proof[32:])
}

// toScalar is HashToScalar of section 4.1.
func toScalar(b []byte) (*scalar.Scalar, error) {
	var wide [64]byte
	if err := h2c.ExpandMessageXMD(wide[:], crypto.SHA512, []byte("HashToScalar-"+context), b); err != nil {
		return nil, fmt.Errorf("hash to a scalar: %w", err)
	}
	return scalar.NewFromBytesModOrderWide(wide[:])
}

// transcript writes each part after its length, as I2OSP(len, 2).
func transcript(parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += 2 + len(p)
	}
	b := make([]byte, 0, n+len("Composite"))
	for _, p := range parts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
		b = append(b, p...)
	}
	return b
}
