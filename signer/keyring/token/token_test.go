//go:build pkcs11 && cgo

package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/keyringtest"
)

func TestTokenKeepsThePromisesOfKeys(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) keyringtest.Place {
		w := newWorld(t)
		return keyringtest.Place{
			Backend: Backend{}, Ask: pin, Kinds: []string{keyring.TypeEd25519, keyring.TypeP256},
			Make: func(_ *testing.T, r *keyring.Ring, name, kind string) (keyring.Public, error) {
				if w.ids[name] == "" {
					w.key(name, kinds[kind])
				}
				return w.add(r, name, w.uri(name), pin)
			},
			MakeOther: func(_ *testing.T, r *keyring.Ring, name string) error {
				w.key(name, "EC:secp384r1")
				_, err := w.add(r, name, w.uri(name), pin)
				return err
			},
			Remove: func(_ *testing.T, _ *keyring.Ring, name string) {
				w.tool("--delete-object", "--type", "privkey", "--label", name)
			},
			Break:   func(*testing.T) { w.pull() },
			Broken:  keyring.ErrUnreachable,
			Forgets: true,
		}
	})
}

// pull takes every token away.
func (w *world) pull() {
	w.t.Helper()
	entries, err := os.ReadDir(w.tokens)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(w.tokens, e.Name())); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestTokenPulledOutWhileSigningIsNamed(t *testing.T) {
	for _, kind := range kinds {
		w := newWorld(t)
		w.key("alice", kind)
		r := w.ring()
		if _, err := w.add(r, "alice", w.uri("alice"), pin); err != nil {
			t.Fatal(err)
		}
		key, err := r.Unlock(t.Context(), "alice", pin)
		if err != nil {
			t.Fatal(err)
		}
		w.pull()
		_, err = key.Sign(t.Context(), []byte("{}"))
		expect(t, err, keyring.ErrUnreachable, "plug it in")
		if err := key.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWrongPINIsTriedOnce(t *testing.T) {
	w := newWorld(t)
	w.key("alice", "EC:edwards25519")
	person := &counting{answer: "a wrong pin"}
	_, err := w.add(w.ring(), "alice", w.uri("alice"), person)
	expect(t, err, keyring.ErrPIN, "not tried again")
	if len(person.asked) != 1 || person.asked[0].What != "PIN" || person.asked[0].Of != "token "+label {
		t.Errorf("asked %v", person.asked)
	}
	if strings.Contains(err.Error(), person.answer) {
		t.Errorf("the error shows the PIN: %v", err)
	}
}

// What is in a file is as wrong the next time, and tokens lock themselves.
func TestPINFromAFileIsNotTriedAfterAWrongOne(t *testing.T) {
	w := newWorld(t)
	w.key("alice", "EC:edwards25519")
	_, err := w.add(w.ring(), "alice", w.uri("alice"), keyring.Passphrase("a wrong pin"))
	expect(t, err, keyring.ErrPIN, "CKR_PIN_INCORRECT")
	_, err = w.add(w.ring(), "alice", w.uri("alice"), pin)
	expect(t, err, keyring.ErrPIN, "nothing was tried")
	r := w.ring()
	if _, err := w.add(r, "alice", w.uri("alice"), &counting{answer: string(pin)}); err != nil {
		t.Fatalf("typed by a person: %v", err)
	}
	key, err := r.Unlock(t.Context(), "alice", pin)
	if err != nil {
		t.Fatalf("after the right one: %v", err)
	}
	if err := key.Close(); err != nil {
		t.Error(err)
	}
}

func TestTwoTokensOfOneLabelAreToldApart(t *testing.T) {
	w := newWorld(t)
	w.key("alice", "EC:prime256v1")
	r := w.ring()
	if _, err := w.add(r, "alice", w.uri("alice"), pin); err != nil {
		t.Fatal(err)
	}
	w.token(label)
	person := &counting{answer: string(pin)}
	_, err := w.add(w.ring(), "bob", w.uri("alice"), person)
	expect(t, err, keyring.ErrAmbiguous, "add serial=")
	if len(person.asked) > 0 {
		t.Error("a PIN was asked for, for either token")
	}
	key, err := r.Unlock(t.Context(), "alice", pin) // its serial number was noted
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Close(); err != nil {
		t.Error(err)
	}
}

func TestWrongIDIsNamedBesideWhatIsThere(t *testing.T) {
	w := newWorld(t)
	w.key("alice", "EC:prime256v1")
	_, err := w.add(w.ring(), "alice", w.uri("alice", ";id=%77"), pin)
	expect(t, err, keyring.ErrNoKey, "object=alice id=%01")
	_, err = w.add(w.ring(), "alice", w.uri("bob"), pin)
	expect(t, err, keyring.ErrNoKey, "object=alice id=%01")
	w.ids["x"] = "x"
	w.key("alice", "EC:prime256v1")
	_, err = w.add(w.ring(), "alice", w.uri("alice"), pin)
	expect(t, err, keyring.ErrAmbiguous, "id=%03")
	if _, err = w.add(w.ring(), "alice", w.uri("alice", ";id=%03"), pin); err != nil {
		t.Error(err)
	}
}

func TestRSAInATokenIsRefused(t *testing.T) {
	w := newWorld(t)
	w.key("alice", "rsa:2048")
	_, err := w.add(w.ring(), "alice", w.uri("alice"), pin)
	expect(t, err, keyring.ErrKind, "object=alice")
}

func TestMissingModuleAndTokenAreNamed(t *testing.T) {
	w := newWorld(t)
	w.key("alice", "EC:prime256v1")
	good := w.uri("alice")
	for uri, says := range map[string]string{
		strings.Replace(good, w.module, "/nowhere/m.so", 1):            "no such file",
		strings.Replace(good, w.module, "/etc/hostname", 1):            "cannot be loaded",
		strings.Replace(good, "token=Root", "token=Other", 1):          "token=Root keys serial=",
		strings.Replace(good, "token=", "serial=00;token=", 1):         "serial=",
		strings.Replace(good, "token=", "manufacturer=Acme;token=", 1): "SoftHSM",
	} {
		_, err := w.add(w.ring(), "alice", uri, pin)
		expect(t, err, keyring.ErrUnreachable, says)
	}
}

// A key that wants its PIN with each signature, as in slot 9c of a YubiKey.
func TestKeyThatWantsItsPINEachTimeSigns(t *testing.T) {
	w := newWorld(t)
	w.key("alice", "EC:prime256v1", "--always-auth")
	r := w.ring()
	if _, err := w.add(r, "alice", w.uri("alice"), pin); err != nil {
		t.Fatal(err)
	}
	person := &counting{answer: string(pin)}
	key, err := r.Unlock(t.Context(), "alice", person)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := key.Sign(t.Context(), []byte("{}")); err != nil {
			t.Error(err)
		}
	}
	if len(person.asked) != 3 {
		t.Errorf("asked %d times: once to open, once for each signature is expected", len(person.asked))
	}
	if err := key.Close(); err != nil {
		t.Error(err)
	}
}

func TestPointsAreReadStrictly(t *testing.T) {
	key := make([]byte, 32)
	for name, c := range map[string]struct {
		kind          uint
		params, point []byte
		good          bool
	}{
		"Ed25519 by name":     {keyTypeEdwards, nameEd25519, append([]byte{4, 32}, key...), true},
		"Ed25519 by number":   {keyTypeEdwards, oidEd25519, append([]byte{4, 32}, key...), true},
		"without wrapping":    {keyTypeEdwards, oidEd25519, key, true},
		"Ed448":               {keyTypeEdwards, []byte{0x06, 0x03, 0x2b, 0x65, 0x71}, key, false},
		"P-384":               {3, []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, key, false},
		"P-256 off its curve": {3, oidP256, append([]byte{4}, make([]byte, 64)...), false},
		"P-256 cut":           {3, oidP256, []byte{4, 1}, false},
		"nothing":             {3, oidP256, nil, false},
	} {
		if _, err := parsePoint(c.kind, c.params, c.point); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
