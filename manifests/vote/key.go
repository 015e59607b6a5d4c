package vote

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/candor-ota/candor/manifests"
)

var suite = oprf.SuiteRistretto255

// ErrElement is a group element or scalar that must not be used: the identity,
// zero, or an encoding that is not the canonical one.
var ErrElement = errors.New("not a usable ristretto255 element (identity or non-canonical encoding)")

// Master is the server's secret from which the vote keys of every release are
// derived. It prints as nothing.
type Master [32]byte

// String hides the secret.
func (Master) String() string { return "master(hidden)" }

// GoString hides the secret.
func (Master) GoString() string { return "master(hidden)" }

// Key derives the private key of one class and set of a release.
func (m Master) Key(ref Ref, class Class, set Set) (*Key, error) {
	info := frame("candor-vote-key-v1", ref.product(), ref.build(), []byte(class), []byte(set))
	secret, err := oprf.DeriveKey(suite, oprf.VerifiableMode, m[:], info)
	if err != nil {
		return nil, fmt.Errorf("derive vote key of %s, %s %s: %w", ref, set, class, err)
	}
	raw, err := secret.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("derive vote key of %s, %s %s: %w", ref, set, class, err)
	}
	k := &Key{ref: ref, class: class, set: set}
	if k.secret, err = scalar.NewFromCanonicalBytes(raw); err != nil {
		return nil, fmt.Errorf("derive vote key of %s, %s %s: %w", ref, set, class, err)
	}
	k.public = compressed(onBase(k.secret))
	k.seed = proofSeed(k.public[:])
	k.id = sha256.Sum256(frame("candor-vote-key-id-v1", k.public[:]))
	return k, nil
}

// Rules derives all public keys of a release, for its engineers to sign.
func (m Master) Rules(ref Ref) (primary, spare manifests.VoteKeySet, err error) {
	for _, s := range []struct {
		set  Set
		keys *manifests.VoteKeySet
	}{{Primary, &primary}, {Spare, &spare}} {
		into := []*manifests.VoteKey{&s.keys.Attempt, &s.keys.Trial, &s.keys.Refusal, &s.keys.Regression}
		for i, class := range Classes() {
			k, err := m.Key(ref, class, s.set)
			if err != nil {
				return primary, spare, err
			}
			*into[i] = k.Public()
		}
	}
	return primary, spare, nil
}

// Key is the private key under which the votes of one class of one release
// are issued and checked. It is safe for concurrent use.
type Key struct {
	ref    Ref
	class  Class
	set    Set
	secret *scalar.Scalar
	public manifests.VoteKey
	seed   []byte            // of proofs
	id     [sha256.Size]byte // in nullifiers
}

// Public gives the key that the release names.
func (k *Key) Public() manifests.VoteKey { return k.public }

// Evaluate answers a blinded element, with the proof that this key was used.
// The same element gets the same evaluation; the proof differs each time.
func (k *Key) Evaluate(b Blinded) (IssueResponse, error) {
	blinded, err := point(b[:])
	if err != nil {
		return IssueResponse{}, fmt.Errorf("blinded: %w", err)
	}
	r := IssueResponse{Evaluated: compressed(product(blinded, k.secret))}
	if r.Proof, err = k.prove(blinded, b, r.Evaluated); err != nil {
		return IssueResponse{}, fmt.Errorf("prove: %w", err)
	}
	return r, nil
}

// Accepts tells whether the MAC of a cast was made with a token that this key
// issued, for this release, class and set. The comparison takes constant time.
func (k *Key) Accepts(c *CastRequest) bool {
	if c.Ref() != k.ref || c.Class != k.class || c.Set != k.set {
		return false
	}
	t, err := finalized(k.secret, c.Nonce)
	if err != nil {
		return false
	}
	want, err := Token{Nonce: c.Nonce, secret: t}.mac(k.ref, k.class, c.Vote)
	return err == nil && hmac.Equal(want[:], c.MAC[:])
}

// Nullifier marks that a nonce was spent under this key.
type Nullifier [16]byte

// Nullifier of a nonce under this key.
func (k *Key) Nullifier(n Nonce) Nullifier {
	sum := sha256.Sum256(frame("candor-null-v1", k.id[:], n[:]))
	return Nullifier(sum[:16])
}

// CheckKey refuses a public key that is the identity or not canonical.
func CheckKey(k manifests.VoteKey) error {
	_, err := element(k[:])
	return err
}

// element decodes as RFC 9496, section 4.3.1, says: one encoding per element.
func element(b []byte) (group.Element, error) {
	e := suite.Group().NewElement()
	if err := e.UnmarshalBinary(b); err != nil || e.IsIdentity() {
		return nil, ErrElement
	}
	return e, nil
}

func publicKey(k manifests.VoteKey) (*oprf.PublicKey, error) {
	if err := CheckKey(k); err != nil {
		return nil, err
	}
	pub := new(oprf.PublicKey)
	return pub, pub.UnmarshalBinary(suite, k[:])
}

func proofOf(p Proof) (*dleq.Proof, error) {
	out := new(dleq.Proof)
	return out, out.UnmarshalBinary(suite.Group(), p[:])
}
