package event

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"
)

var (
	made  = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)
	names = []string{"Dora Lind", "Emil Novak", "Fay Wong"}
)

// person is somebody with a key.
type person struct {
	name string
	id   string
	key  ed25519.PrivateKey
}

func people() []person {
	out := make([]person, len(names))
	for i, name := range names {
		seed := sha256.Sum256([]byte(name))
		key := ed25519.NewKeyFromSeed(seed[:])
		id := sha256.Sum256(key.Public().(ed25519.PublicKey))
		out[i] = person{name, hex.EncodeToString(id[:]), key}
	}
	return out
}

// payload stands for the canonical form, which readers compute.
func payload(r Role) []byte { return []byte("canonical " + r.Signed) }

func ballots(p *Proposal) []Ballot {
	all := make([]Ballot, len(p.Roles))
	for i, r := range p.Roles {
		all[i] = Ballot{Payload: payload(r), Seats: map[string]Seat{}}
		for _, who := range people() {
			all[i].Seats[who.id] = Seat{Holder: who.name, Verify: func(payload, sig []byte) bool {
				return ed25519.Verify(who.key.Public().(ed25519.PublicKey), payload, sig)
			}}
		}
	}
	return all
}

// proposal is a new release, signed by nobody.
func proposal() *Proposal {
	return &Proposal{
		Format: Format, Kind: Release, Product: "phone", Build: 42, Created: made.Format(time.RFC3339),
		Base: Base{Roots: []string{"root"}, Targets: "targets", Releases: "releases", Documents: []Document{{"releases/phone/41.json", "old"}}},
		Roles: []Role{{
			Name: "releases-phone", Signed: fmt.Sprintf(`{"expires":%q,"version":2}`, made.AddDate(0, 4, 0).Format(time.RFC3339)), Signatures: []Signature{},
		}},
		Documents: []Document{{"releases/phone/42.json", "new"}}, Statements: []Statement{}, Rejections: []Rejection{},
	}
}

func (w person) sign(t testing.TB, p *Proposal, image Image) *Proposal {
	t.Helper()
	parts, err := p.Parts()
	must(t, err)
	s := Statement{At: made.Format(time.RFC3339), KeyID: w.id, Holder: w.name, Image: image, Parts: parts}
	said, err := s.Bytes()
	must(t, err)
	s.Sig = hex.EncodeToString(ed25519.Sign(w.key, said))
	sigs := map[string]string{}
	for _, r := range p.Roles {
		sigs[r.Name] = hex.EncodeToString(ed25519.Sign(w.key, payload(r)))
	}
	return p.With(Said{KeyID: w.id, Statement: &s, Signatures: sigs})
}

func (w person) reject(t testing.TB, p *Proposal, reason string) *Proposal {
	t.Helper()
	parts, err := p.Parts()
	must(t, err)
	r := Rejection{At: made.Format(time.RFC3339), KeyID: w.id, Holder: w.name, Reason: reason, Parts: parts}
	said, err := r.Bytes()
	must(t, err)
	r.Sig = hex.EncodeToString(ed25519.Sign(w.key, said))
	return p.With(Said{KeyID: w.id, Rejection: &r})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func bytesOf(t testing.TB, p *Proposal) []byte {
	t.Helper()
	data, err := p.Marshal()
	must(t, err)
	return data
}
