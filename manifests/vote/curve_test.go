package vote

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// keys gives a key of ours, and the same one in the library that handsets use.
func keys(t *testing.T) (*Key, *oprf.PrivateKey) {
	t.Helper()
	k, err := Master{5}.Key(Ref{"phone", 43}, Trial, Primary)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.secret.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	theirs := new(oprf.PrivateKey)
	if err := theirs.UnmarshalBinary(suite, raw); err != nil {
		t.Fatal(err)
	}
	return k, theirs
}

func TestEvaluationIsThatOfTheOtherLibrary(t *testing.T) {
	k, theirs := keys(t)
	server := oprf.NewVerifiableServer(suite, theirs)
	public, err := theirs.Public().MarshalBinary()
	if err != nil || !bytes.Equal(public, k.public[:]) {
		t.Fatalf("public key is %x; theirs is %x, %v", k.public, public, err)
	}
	for range 100 {
		var n Nonce
		if _, err := rand.Read(n[:]); err != nil {
			t.Fatal(err)
		}
		want, err := server.FullEvaluate(n[:])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := finalized(k.secret, n); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x gives %x, %v; with the other library %x", n, got, err, want)
		}
	}
}

func TestProofIsThatOfTheOtherLibrary(t *testing.T) {
	k, _ := keys(t)
	g := suite.Group()
	raw, err := k.secret.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	secret := g.NewScalar()
	if err := secret.UnmarshalBinary(raw); err != nil {
		t.Fatal(err)
	}
	public := g.NewElement().MulGen(secret)
	prover := dleq.Prover{Params: dleq.Params{G: g, H: crypto.SHA512, DST: []byte(context)}}
	for range 20 {
		r, b := g.RandomNonZeroScalar(rand.Reader), g.RandomElement(rand.Reader)
		e := g.NewElement().Mul(b, secret)
		want, err := prover.ProveBatchWithRandomnessRFC9497(secret, public, []group.Element{b}, []group.Element{e}, r)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		blinded, err := point(bytesOf(t, b.MarshalBinaryCompress))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := scalar.NewFromCanonicalBytes(bytesOf(t, r.MarshalBinary))
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.proveWith(ours, blinded, compressed(blinded), Evaluated(bytesOf(t, e.MarshalBinaryCompress)))
		if err != nil || !bytes.Equal(got[:], wantBytes) {
			t.Fatalf("proof is %x, %v; the other library's is %x", got, err, wantBytes)
		}
	}
}

func bytesOf(t *testing.T, marshal func() ([]byte, error)) []byte {
	t.Helper()
	b, err := marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzBothLibrariesDecodeAlike: what one takes for an element, the other does.
func FuzzBothLibrariesDecodeAlike(f *testing.F) {
	f.Add(make([]byte, 32)) // the identity
	generator := compressed(curve.RISTRETTO_BASEPOINT_POINT)
	f.Add(generator[:])
	f.Add(bytes.Repeat([]byte{0xff}, 32)) // above the prime
	negative := append([]byte{}, generator[:]...)
	negative[0] |= 1
	f.Add(negative)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 32 {
			return
		}
		_, err := point(b)
		_, theirs := element(b)
		if (err == nil) != (theirs == nil) {
			t.Errorf("%x: %v here, %v there", b, err, theirs)
		}
	})
}

func TestProofsDoNotRepeatTheirRandomness(t *testing.T) {
	k, err := Master{5}.Key(Ref{"phone", 43}, Trial, Primary)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPending(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Blinded()
	if err != nil {
		t.Fatal(err)
	}
	first, err := k.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	second, err := k.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	if first.Evaluated != second.Evaluated || first.Proof == second.Proof {
		t.Error("two proofs over one element share their randomness, which would give the key away under another element")
	}
}
