package vote

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/zk/dleq"
)

func TestProofIsThatOfTheLibrary(t *testing.T) {
	k, err := Master{5}.Key(Ref{"phone", 43}, Trial, Primary)
	if err != nil {
		t.Fatal(err)
	}
	g := suite.Group()
	public := g.NewElement().MulGen(k.secret)
	prover := dleq.Prover{Params: dleq.Params{G: g, H: crypto.SHA512, DST: []byte(context)}}
	for range 20 {
		r, b := g.RandomNonZeroScalar(rand.Reader), g.RandomElement(rand.Reader)
		e := g.NewElement().Mul(b, k.secret)
		want, err := prover.ProveBatchWithRandomnessRFC9497(k.secret, public, []group.Element{b}, []group.Element{e}, r)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		bb, _ := b.MarshalBinaryCompress()
		eb, _ := e.MarshalBinaryCompress()
		got, err := k.proveWith(r, b, bb, eb)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got[:], wantBytes) {
			t.Fatalf("proof is %x; the library's is %x", got, wantBytes)
		}
	}
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
