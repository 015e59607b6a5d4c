package vote

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"

	"github.com/cloudflare/circl/group"
)

// The proof of RFC 9497, section 2.2.1, for one element. It gives the bytes
// that the library's prover gives (a test compares them), with one of five
// multiplications on the fixed base: a fifth less work for each token.

// context is the contextString of section 3.1 for the verifiable mode.
const context = "OPRFV1-\x01-ristretto255-SHA512"

// proofSeed is the hash that begins every transcript under a public key.
func proofSeed(public []byte) []byte {
	sum := sha512.Sum512(transcript(public, []byte("Seed-"+context)))
	return sum[:]
}

// prove shows that evaluated is secret times blinded, under the public key.
func (k *Key) prove(blinded group.Element, blindedBytes, evaluatedBytes []byte) (Proof, error) {
	return k.proveWith(group.Ristretto255.RandomNonZeroScalar(rand.Reader), blinded, blindedBytes, evaluatedBytes)
}

// proveWith takes the randomness r, which must never be used twice.
func (k *Key) proveWith(r group.Scalar, blinded group.Element, blindedBytes, evaluatedBytes []byte) (proof Proof, err error) {
	g := suite.Group()
	composite := transcript(k.seed)
	composite = append(composite, 0, 0) // the index of the only element
	composite = append(composite, transcript(blindedBytes, evaluatedBytes)...)
	d := toScalar(append(composite, "Composite"...))

	m := g.NewElement().Mul(blinded, d)
	z := g.NewElement().Mul(m, k.secret)
	t2 := g.NewElement().MulGen(r)
	t3 := g.NewElement().Mul(m, r)
	parts := [][]byte{k.public[:]}
	for _, e := range []group.Element{m, z, t2, t3} {
		b, err := e.MarshalBinaryCompress()
		if err != nil {
			return proof, err
		}
		parts = append(parts, b)
	}
	c := toScalar(append(transcript(parts...), "Challenge"...))
	s := g.NewScalar().Mul(c, k.secret)
	s.Sub(r, s)
	for i, scalar := range []group.Scalar{c, s} {
		b, err := scalar.MarshalBinary()
		if err != nil {
			return proof, err
		}
		copy(proof[32*i:], b)
	}
	return proof, nil
}

func toScalar(b []byte) group.Scalar {
	return suite.Group().HashToScalar(b, []byte("HashToScalar-"+context))
}

// transcript writes each part after its length, as I2OSP(len, 2).
func transcript(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
		b = append(b, p...)
	}
	return b
}
