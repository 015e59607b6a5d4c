package vote

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"

	"github.com/candor-ota/candor/manifests"
)

// ErrProof means that the server did not show that it used the key which the
// release names: nothing must be cast with its answer.
var ErrProof = errors.New("the server's proof does not fit the vote key of the release")

// Pending is a token that was, or is about to be, asked for. It must be on
// disk (fsync) before the request is sent: from it the same request can be
// made again after a power cut.
type Pending struct {
	Nonce Nonce `json:"nonce"`
	Blind Blind `json:"blind"`
}

// NewPending draws nonce and blind from a source of cryptographic randomness.
func NewPending(random io.Reader) (Pending, error) {
	var p Pending
	var wide [64]byte
	if _, err := io.ReadFull(random, p.Nonce[:]); err != nil {
		return p, fmt.Errorf("draw nonce: %w", err)
	}
	if _, err := io.ReadFull(random, wide[:]); err != nil {
		return p, fmt.Errorf("draw blind: %w", err)
	}
	s := suite.Group().HashToScalar(wide[:], []byte("candor-blind-v1"))
	raw, err := s.MarshalBinary()
	if err != nil {
		return p, fmt.Errorf("draw blind: %w", err)
	}
	copy(p.Blind[:], raw)
	return p, nil
}

// Blinded gives the element to send; always the same for the same Pending.
func (p Pending) Blinded() (Blinded, error) {
	var out Blinded
	// Blinding does not depend on the key, so that a request can be made before
	// the release is at hand; but the library wants one to choose the mode.
	client, err := anyClient()
	if err != nil {
		return out, err
	}
	_, req, err := p.blind(client.DeterministicBlind)
	if err != nil {
		return out, err
	}
	raw, err := req.Elements[0].MarshalBinaryCompress()
	copy(out[:], raw)
	return out, err
}

var anyClient = sync.OnceValues(func() (oprf.VerifiableClient, error) {
	k, err := oprf.DeriveKey(suite, oprf.VerifiableMode, make([]byte, 32), []byte("candor-no-key"))
	if err != nil {
		return oprf.VerifiableClient{}, fmt.Errorf("blind: %w", err)
	}
	return oprf.NewVerifiableClient(suite, k.Public()), nil
})

type blinder func([][]byte, []oprf.Blind) (*oprf.FinalizeData, *oprf.EvaluationRequest, error)

func (p Pending) blind(f blinder) (*oprf.FinalizeData, *oprf.EvaluationRequest, error) {
	s := suite.Group().NewScalar()
	if err := s.UnmarshalBinary(p.Blind[:]); err != nil || s.IsZero() {
		return nil, nil, fmt.Errorf("blind: %w", ErrElement)
	}
	return f([][]byte{p.Nonce[:]}, []group.Scalar{s})
}

// Finish checks the answer against the key that the release names and unblinds
// it. ErrProof or ErrElement means: do not vote with this answer.
func (p Pending) Finish(key manifests.VoteKey, r IssueResponse) (Token, error) {
	pub, err := publicKey(key)
	if err != nil {
		return Token{}, fmt.Errorf("vote key of the release: %w", err)
	}
	e, err := element(r.Evaluated[:])
	if err != nil {
		return Token{}, fmt.Errorf("evaluated: %w", err)
	}
	proof, err := proofOf(r.Proof)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	client := oprf.NewVerifiableClient(suite, pub)
	data, _, err := p.blind(client.DeterministicBlind)
	if err != nil {
		return Token{}, err
	}
	out, err := client.Finalize(data, &oprf.Evaluation{Elements: []oprf.Evaluated{e}, Proof: proof})
	if err != nil {
		return Token{}, ErrProof
	}
	return Token{Nonce: p.Nonce, secret: out[0]}, nil
}

// Token is the right to cast one vote of one class of one release. Its text
// form is for the handset's own storage; it is never sent.
type Token struct {
	Nonce  Nonce
	secret []byte
}

// String hides the secret.
func (Token) String() string { return "token(hidden)" }

// MarshalText writes nonce and secret in base64.
func (t Token) MarshalText() ([]byte, error) {
	return encode(append(t.Nonce[:len(t.Nonce):len(t.Nonce)], t.secret...)), nil
}

// UnmarshalText reads what MarshalText wrote.
func (t *Token) UnmarshalText(b []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(b))
	if err != nil || len(raw) != len(t.Nonce)+64 {
		return errors.New("is not a stored token: use 96 bytes in base64")
	}
	t.Nonce, t.secret = Nonce(raw[:len(t.Nonce)]), raw[len(t.Nonce):]
	return nil
}

// Cast makes the request that spends the token on a vote.
func (t Token) Cast(ref Ref, class Class, set Set, v Vote) (CastRequest, error) {
	if err := v.Validate(class); err != nil {
		return CastRequest{}, err
	}
	mac, err := t.mac(ref, class, v)
	return CastRequest{
		Product: ref.Product, Build: ref.Build, Class: class, Set: set,
		Nonce: t.Nonce, Vote: v, MAC: mac,
	}, err
}

func (t Token) mac(ref Ref, class Class, v Vote) (MAC, error) {
	body, err := v.written(class)
	if err != nil {
		return MAC{}, err
	}
	h := hmac.New(sha256.New, t.secret)
	h.Write(frame("candor-vote-v1", ref.product(), ref.build(), []byte(class), t.Nonce[:], body))
	return MAC(h.Sum(nil)[:len(MAC{})]), nil
}
