// Package keyringtest is the one set of promises that every place of keys has
// to keep, and that is run against all of them: encrypted files, ssh-agent,
// PKCS#11 tokens, services for keys, and programs. Wherever a key lives, the
// same question gets the same answer and the same error.
//
// Parties. The test of a place makes it ready (a real agent, a real token) and
// describes it as a Place; Run does the rest.
package keyringtest

import (
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
)

// Holder is the person whose keys the suite makes.
const Holder = "Alice Chen"

// Place is one place of keys, ready for use.
type Place struct {
	// Backend reaches it; nil for files, which the ring reads itself.
	Backend keyring.Backend
	// Kinds are the types of key that it can hold, of keyring.TypeEd25519 and
	// TypeP256.
	Kinds []string
	// Ask knows the passphrase or PIN.
	Ask keyring.Asker
	// Make makes a new key in the place, unless it is a file, and enrols it.
	Make func(t *testing.T, r *keyring.Ring, name, kind string) (keyring.Public, error)
	// MakeOther makes a key of a kind that is not used, and tries to enrol it.
	MakeOther func(t *testing.T, r *keyring.Ring, name string) error
	// Remove takes the key NAME away from the place.
	Remove func(t *testing.T, r *keyring.Ring, name string)
	// Break makes the place itself go away, to the end of the test.
	Break func(t *testing.T)
	// Broken is the error afterwards: keyring.ErrUnreachable, or for files
	// keyring.ErrNoKey.
	Broken error
	// Forgets is whether a key that was opened signs no more once it was taken
	// away. Keys in files and some tokens are read once.
	Forgets bool
}

func (p Place) ring(t *testing.T) *keyring.Ring {
	if p.Backend == nil {
		return keyring.Open(t.TempDir())
	}
	return keyring.Open(t.TempDir(), p.Backend)
}

func (p Place) enrol(t *testing.T, r *keyring.Ring, name, kind string) keyring.Public {
	t.Helper()
	public, err := p.Make(t, r, name, kind)
	if err != nil {
		t.Fatalf("enrol key %s: %v", name, err)
	}
	return public
}

func (p Place) unlock(t *testing.T, r *keyring.Ring, name string) keyring.Signer {
	t.Helper()
	key, err := r.Unlock(t.Context(), name, p.Ask)
	if err != nil {
		t.Fatalf("open key %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := key.Close(); err != nil {
			t.Errorf("close key %s: %v", name, err)
		}
	})
	return key
}
