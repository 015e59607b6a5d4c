package ceremony

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// otherKey is a key of a root that another tool made: of any kind, under any
// id. It counts for the step from that root to the first one of ours, and for
// nothing else. What it verifies here, the library verifies once more before
// anything is published.
type otherKey struct {
	public crypto.PublicKey
	scheme string
	owner  string // who holds it, as far as the root tells
}

// ownerField is where tuf-on-ci writes whose key it is.
const ownerField = "x-tuf-on-ci-keyowner"

func readOther(id string, k *metadata.Key) (key otherKey, err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some shapes
			err = fmt.Errorf("key %s has a shape that cannot be read (%v)", short(id), p)
		}
	}()
	if k == nil {
		return otherKey{}, fmt.Errorf("key %s is not in the table of keys", short(id))
	}
	public, err := k.ToPublicKey()
	if err != nil {
		return otherKey{}, fmt.Errorf("key %s: %w", short(id), err)
	}
	key = otherKey{public: public, scheme: k.Scheme, owner: "the holder of " + short(id)}
	if name, ok := k.UnrecognizedFields[ownerField].(string); ok && name != "" && len(name) < 100 {
		key.owner = plainLine(name)
	}
	return key, nil
}

func (k otherKey) verify(payload, sig []byte) bool {
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, payload, sig)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(payload)
		if public.Curve.Params().BitSize == 384 {
			long := sha512.Sum384(payload)
			return ecdsa.VerifyASN1(public, long[:], sig)
		}
		return ecdsa.VerifyASN1(public, digest[:], sig)
	case *rsa.PublicKey:
		digest := sha256.Sum256(payload)
		return rsa.VerifyPSS(public, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
	}
	return false
}

// is tells whether a key of ours is the same key.
func (k otherKey) is(public crypto.PublicKey) bool {
	same, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && same.Equal(public)
}

// otherRole reads who signs root under a root that another tool made.
func otherRole(root *rootMeta) (roleTable, error) {
	r := root.Signed.Roles[metadata.ROOT]
	if r == nil || len(r.KeyIDs) == 0 {
		return roleTable{}, errors.New("root: nobody signs it")
	}
	t := roleTable{name: metadata.ROOT, keyIDs: r.KeyIDs, threshold: r.Threshold, whose: sideBefore, foreign: map[string]otherKey{}}
	for _, id := range r.KeyIDs {
		k, err := readOther(id, root.Signed.Keys[id])
		if err != nil {
			return t, fmt.Errorf("root: %w", err)
		}
		t.foreign[id] = k
	}
	return t, nil
}
