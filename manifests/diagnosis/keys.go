package diagnosis

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
)

// Key is a public key as TUF metadata has it.
type Key struct {
	Type   string `json:"keytype"`
	Scheme string `json:"scheme"`
	Value  struct {
		Public string `json:"public"`
	} `json:"keyval"`
}

// Table says who may sign a role, and how many of them must.
type Table struct {
	Role      string
	Threshold int
	KeyIDs    []string
	Holders   map[string]string // key id to person
	Keys      map[string]Key
	By        string // which file says so, in words: "root version 2"
}

// row is a Table as it is written.
type row struct {
	KeyIDs    []string          `json:"keyids"`
	Threshold int               `json:"threshold"`
	Holders   map[string]string `json:"x-holders"`
}

func (r row) table(name string, keys map[string]Key) Table {
	t := Table{Role: name, Threshold: r.Threshold, Holders: r.Holders, Keys: map[string]Key{}}
	for _, id := range r.KeyIDs {
		if !slices.Contains(t.KeyIDs, id) { // a key counts once
			t.KeyIDs = append(t.KeyIDs, id)
			t.Keys[id] = keys[id]
		}
	}
	return t
}

// tally is how the signatures of a file stand to a table.
type tally struct {
	signers []Signer // of the table, in its order; then strangers
	valid   int
}

func (t Table) count(f *File) tally {
	var out tally
	for _, id := range t.KeyIDs {
		s := Signer{KeyID: id, Holder: t.Holders[id], State: Absent}
		for _, sig := range f.Signatures {
			if sig.KeyID == id {
				s.State = t.Keys[id].judge(f.payload, sig.Sig)
				break
			}
		}
		if s.State == Valid {
			out.valid++
		}
		out.signers = append(out.signers, s)
	}
	for _, sig := range f.Signatures {
		if !slices.Contains(t.KeyIDs, sig.KeyID) {
			out.signers = append(out.signers, Signer{KeyID: sig.KeyID, State: Foreign})
		}
	}
	return out
}

func (k Key) judge(payload []byte, text string) SignerState {
	if text == "" {
		return Absent // a place that was kept for a signature, as some tools do
	}
	public := k.parse()
	if public == nil {
		return UnknownKind
	}
	sig, err := hex.DecodeString(text)
	if err == nil && verifies(public, payload, sig) {
		return Valid
	}
	return OverOther
}

func verifies(public crypto.PublicKey, payload, sig []byte) bool {
	sum := sha256.Sum256(payload)
	switch p := public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(p, payload, sig)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, sum[:], sig)
	case *rsa.PublicKey:
		return rsa.VerifyPSS(p, crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
	}
	return false
}

// parse gives the key, nil for a kind that is not read here.
func (k Key) parse() crypto.PublicKey {
	switch k.Scheme {
	case "ed25519":
		if raw, err := hex.DecodeString(k.Value.Public); err == nil && len(raw) == ed25519.PublicKeySize {
			return ed25519.PublicKey(raw)
		}
	case "ecdsa-sha2-nistp256", "rsassa-pss-sha256":
		block, _ := pem.Decode([]byte(k.Value.Public))
		if block == nil {
			return nil
		}
		if public, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			return public
		}
	}
	return nil
}
