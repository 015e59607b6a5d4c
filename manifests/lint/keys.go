package lint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Key is a public key as role tables list it.
type Key struct {
	Type   string
	Scheme string
	Public string
}

// keys reads a table of keys. Each must be of an allowed kind and stand under
// its own id: one key must not count as two.
func (r *report) keys(f *File, raw json.RawMessage, path string) {
	if raw == nil {
		return
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		r.add(place{RuleForm, path, nil}, makeAgain, "field %q is not an object", path)
		return
	}
	for _, id := range sorted(all) {
		at := join(path, short(id))
		fields := r.fields(all[id], at, "keytype", "scheme", "keyval")
		var k Key
		r.value(fields, at, "keytype", &k.Type)
		r.value(fields, at, "scheme", &k.Scheme)
		if fields["keyval"] != nil {
			r.value(r.fields(fields["keyval"], join(at, "keyval"), "public"), join(at, "keyval"), "public", &k.Public)
		}
		f.Keys[id] = k
		if err := k.check(); err != nil {
			r.add(place{RuleKey, at, k.Type}, "use an Ed25519 or P-256 key, as `candor-signer key new` makes them", "key %s: %v", short(id), err)
			continue
		}
		if real := k.ID(); real != id {
			r.add(place{RuleKey, at, id}, makeAgain, "a key is filed under %s, but its id is %s", short(id), short(real))
		}
	}
}

// check refuses kinds of key that handsets do not use, and any second spelling
// of a key.
func (k Key) check() error {
	switch {
	case k.Type == "ed25519" && k.Scheme == "ed25519":
		raw, err := hex.DecodeString(k.Public)
		if err != nil || len(raw) != 32 || hex.EncodeToString(raw) != k.Public {
			return errors.New("ed25519 public key is not 64 hex digits")
		}
		return nil
	case k.Type == "ecdsa" && k.Scheme == "ecdsa-sha2-nistp256":
		return k.checkP256()
	default:
		return fmt.Errorf("key type %q with scheme %q: only Ed25519 and P-256 are used", clip(k.Type), clip(k.Scheme))
	}
}

func (k Key) checkP256() error {
	block, rest := pem.Decode([]byte(k.Public))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		return errors.New("P-256 public key is not one PEM block")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("P-256 public key: %w", err)
	}
	p, ok := public.(*ecdsa.PublicKey)
	if !ok || p.Curve != elliptic.P256() {
		return errors.New("only Ed25519 and P-256 are used")
	}
	der, err := x509.MarshalPKIXPublicKey(p)
	if err != nil {
		return fmt.Errorf("P-256 public key: %w", err)
	}
	// TUF's tools differ in the line feed at the end; both count.
	usual := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if strings.TrimSuffix(k.Public, "\n") != strings.TrimSuffix(usual, "\n") {
		return errors.New("public key is not written in its usual form")
	}
	return nil
}

// ID is the TUF key id: the SHA-256 of the key object in OLPC canonical JSON,
// which escapes nothing but the quote and the backslash.
func (k Key) ID() string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	text := fmt.Sprintf(`{"keytype":"%s","keyval":{"public":"%s"},"scheme":"%s"}`, escape.Replace(k.Type), escape.Replace(k.Public), escape.Replace(k.Scheme))
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
