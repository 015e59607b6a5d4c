package keyringtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
)

// Run checks every promise against places that ready gives, a fresh one for
// each.
func Run(t *testing.T, ready func(t *testing.T) Place) {
	for name, promise := range map[string]func(*testing.T, Place){
		"every kind signs and verifies":       everyKindSigns,
		"two keys are not mixed up":           keysAreNotMixedUp,
		"a name is taken once":                nameIsTakenOnce,
		"other kinds are refused":             otherKindsRefused,
		"a swapped public part is refused":    swappedPublicPartRefused,
		"a key that is gone is named":         goneKeyIsNamed,
		"a place that is gone is named":       gonePlaceIsNamed,
		"a closed key signs nothing":          closedKeySignsNothing,
		"an interrupted question ends":        interruptedQuestionEnds,
		"where it lives is known without it":  locationIsKnown,
		"its public file holds no more":       publicFileIsPublic,
		"a lie about the signature is seen":   lyingSignatureRefused,
		"a lie about the public half is seen": lyingPublicHalfRefused,
	} {
		t.Run(name, func(t *testing.T) { promise(t, ready(t)) })
	}
}

// payloads are what is signed: a statement, and the largest role.
var payloads = [][]byte{[]byte("candor-statement-1\n{}"), bytes.Repeat([]byte{'{'}, 200_000)}

func everyKindSigns(t *testing.T, p Place) {
	for _, kind := range p.Kinds {
		r := p.ring(t)
		public := p.enrol(t, r, "alice-"+kind, kind)
		key := p.unlock(t, r, public.Name)
		if key.Public() != public || public.Holder != Holder {
			t.Errorf("%s: opened %v, enrolled %v", kind, key.Public(), public)
		}
		for _, payload := range payloads {
			sig, err := key.Sign(t.Context(), payload)
			if err != nil {
				t.Fatalf("%s: sign %d bytes: %v", kind, len(payload), err)
			}
			if !public.Key.Verify(payload, sig) || public.Key.Verify(payload[1:], sig) {
				t.Errorf("%s: what came back is not a signature of these %d bytes", kind, len(payload))
			}
		}
	}
}

func keysAreNotMixedUp(t *testing.T, p Place) {
	r, kind := p.ring(t), p.Kinds[0]
	one, two := p.enrol(t, r, "one", kind), p.enrol(t, r, "two", kind)
	if one.KeyID == two.KeyID {
		t.Fatal("both names have one key")
	}
	first, second := p.unlock(t, r, "one"), p.unlock(t, r, "two")
	for _, key := range []keyring.Signer{second, first, second} {
		sig, err := key.Sign(t.Context(), payloads[0])
		if err != nil || !key.Public().Key.Verify(payloads[0], sig) {
			t.Errorf("key %s: %v", key.Public().Name, err)
		}
	}
	listed, err := r.List()
	if err != nil || len(listed) != 2 || listed[0] != one || listed[1] != two {
		t.Errorf("listed %v, %v", listed, err)
	}
}

func nameIsTakenOnce(t *testing.T, p Place) {
	r := p.ring(t)
	before := p.enrol(t, r, "alice", p.Kinds[0])
	if _, err := p.Make(t, r, "alice", p.Kinds[0]); err == nil {
		t.Fatal("a second key of that name was enrolled")
	}
	if after, err := r.Public("alice"); err != nil || after != before {
		t.Errorf("the key changed: %v, %v", after, err)
	}
	p.unlock(t, r, "alice")
}

func otherKindsRefused(t *testing.T, p Place) {
	r := p.ring(t)
	if err := p.MakeOther(t, r, "alice"); !errors.Is(err, keyring.ErrKind) {
		t.Errorf("got %v, expected %v", err, keyring.ErrKind)
	}
	nothingIsLeft(t, r)
}

// nothingIsLeft checks that a ring holds no file.
func nothingIsLeft(t *testing.T, r *keyring.Ring) {
	t.Helper()
	entries, err := os.ReadDir(r.Dir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("file %s is left", e.Name())
	}
}

func swappedPublicPartRefused(t *testing.T, p Place) {
	r := p.ring(t)
	p.enrol(t, r, "alice", p.Kinds[0])
	other := p.enrol(t, r, "mallory", p.Kinds[0])
	other.Name = "alice"
	data, err := other.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.WriteFile(filepath.Join(r.Dir(), "alice.pub"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Unlock(t.Context(), "alice", p.Ask); err == nil {
		t.Error("the key was opened")
	}
}

func goneKeyIsNamed(t *testing.T, p Place) {
	r := p.ring(t)
	p.enrol(t, r, "alice", p.Kinds[0])
	p.enrol(t, r, "bob", p.Kinds[0])
	open := p.unlock(t, r, "alice")
	p.Remove(t, r, "alice")
	_, err := open.Sign(t.Context(), payloads[0])
	if p.Forgets && !errors.Is(err, keyring.ErrNoKey) && !errors.Is(err, keyring.ErrUnreachable) {
		t.Errorf("signing with the open key: %v, expected %v", err, keyring.ErrNoKey)
	}
	if !p.Forgets && err != nil {
		t.Errorf("signing with the open key: %v", err)
	}
	if _, err := r.Unlock(t.Context(), "alice", p.Ask); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("opening it: %v, expected %v", err, keyring.ErrNoKey)
	}
	p.unlock(t, r, "bob")
}

func gonePlaceIsNamed(t *testing.T, p Place) {
	r := p.ring(t)
	p.enrol(t, r, "alice", p.Kinds[0])
	p.Break(t)
	if _, err := r.Unlock(t.Context(), "alice", p.Ask); !errors.Is(err, p.Broken) {
		t.Errorf("got %v, expected %v", err, p.Broken)
	}
	if p.Backend == nil {
		return // a directory that is gone is made again
	}
	fresh := p.ring(t)
	if _, err := fresh.Add(t.Context(), elsewhere(t, r, "alice", "bob"), p.Ask); !errors.Is(err, p.Broken) {
		t.Errorf("enrolling gave %v, expected %v", err, p.Broken)
	}
	nothingIsLeft(t, fresh)
}

// elsewhere asks for the key NAME of r once more, under another name.
func elsewhere(t *testing.T, r *keyring.Ring, name, as string) keyring.KeyElsewhere {
	t.Helper()
	at, err := r.Location(name)
	if err != nil {
		t.Fatal(err)
	}
	return keyring.KeyElsewhere{Name: as, Holder: Holder, At: at, Timeout: keyring.DefaultTimeout}
}

func closedKeySignsNothing(t *testing.T, p Place) {
	r := p.ring(t)
	p.enrol(t, r, "alice", p.Kinds[0])
	key := p.unlock(t, r, "alice")
	for range 2 {
		if err := key.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := key.Sign(t.Context(), payloads[0]); !errors.Is(err, keyring.ErrClosed) {
		t.Errorf("got %v, expected %v", err, keyring.ErrClosed)
	}
	p.unlock(t, r, "alice")
}

func interruptedQuestionEnds(t *testing.T, p Place) {
	r := p.ring(t)
	p.enrol(t, r, "alice", p.Kinds[0])
	key := p.unlock(t, r, "alice")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Unlock(over, "alice", p.Ask); !errors.Is(err, context.Canceled) {
		t.Errorf("opening: %v, expected %v", err, context.Canceled)
	}
	if _, err := key.Sign(over, payloads[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("signing: %v, expected %v", err, context.Canceled)
	}
}

func locationIsKnown(t *testing.T, p Place) {
	r := p.ring(t)
	p.enrol(t, r, "alice", p.Kinds[0])
	p.Break(t)
	if p.Backend == nil {
		return // the file is where the key lives
	}
	at, err := r.Location("alice")
	if err != nil || at.Kind != p.Backend.Kind() || len(at.Words) == 0 {
		t.Errorf("%v, %v", at, err)
	}
}

func publicFileIsPublic(t *testing.T, p Place) {
	r := p.ring(t)
	public := p.enrol(t, r, "alice", p.Kinds[0])
	read, err := keyring.ReadPublic(filepath.Join(r.Dir(), "alice.pub"))
	if err != nil || read != public {
		t.Errorf("%v, %v", read, err)
	}
	info, err := os.Stat(filepath.Join(r.Dir(), "alice.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of alice.key: %v, %v", info, err)
	}
}
