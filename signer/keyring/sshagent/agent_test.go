package sshagent

import (
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/keyringtest"
)

func TestAgentKeepsThePromisesOfKeys(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) keyringtest.Place {
		w := start(t, true)
		return keyringtest.Place{
			Backend: Backend{Socket: w.socket}, Ask: keyring.Passphrase(""),
			Kinds: []string{keyring.TypeEd25519, keyring.TypeP256},
			Make: func(_ *testing.T, r *keyring.Ring, name, kind string) (keyring.Public, error) {
				if w.files[name] == "" {
					w.key(name, kinds[kind])
				}
				return w.add(r, name, name)
			},
			MakeOther: func(_ *testing.T, r *keyring.Ring, name string) error {
				w.key(name, "ecdsa-384")
				_, err := w.add(r, name, name)
				return err
			},
			Remove:  func(_ *testing.T, _ *keyring.Ring, name string) { w.run("ssh-add", "-q", "-d", w.files[name]) },
			Break:   func(*testing.T) { w.stop() },
			Broken:  keyring.ErrUnreachable,
			Forgets: true,
		}
	})
}

func TestKeyIsChosenByFingerprintCommentOrAlone(t *testing.T) {
	w := start(t, true)
	w.key("old", "rsa-2048")
	w.key("one", "ed25519")
	alone, err := w.add(w.ring(), "a", "")
	if err != nil {
		t.Fatal(err)
	}
	r := w.ring()
	byComment, err := w.add(r, "b", "one")
	if err != nil || byComment.KeyID != alone.KeyID {
		t.Fatalf("%v, %v", byComment, err)
	}
	at, err := r.Location("b")
	if err != nil {
		t.Fatal(err)
	}
	w.key("two", "ecdsa-256")
	byFingerprint, err := w.add(w.ring(), "c", at.Words[0])
	if err != nil || byFingerprint.KeyID != alone.KeyID {
		t.Errorf("%v, %v", byFingerprint, err)
	}
	_, err = w.add(w.ring(), "d", "")
	refused(t, err, keyring.ErrAmbiguous, at.Words[0])
}

func TestKeysThatCannotSignMetadataAreRefusedByName(t *testing.T) {
	w := start(t, true)
	w.key("old", "rsa-2048")
	_, err := w.add(w.ring(), "a", "")
	refused(t, err, keyring.ErrKind, "ssh-rsa old")
	_, err = w.add(w.ring(), "a", "old")
	refused(t, err, keyring.ErrKind, "ssh-keygen -t ed25519")
	for kind, says := range map[string]string{
		"sk-ssh-ed25519@openssh.com":              "security key",
		"sk-ecdsa-sha2-nistp256@openssh.com":      "security key",
		"ssh-ed25519-cert-v01@openssh.com":        "plain key",
		"sk-ssh-ed25519-cert-v01@openssh.com":     "security key",
		"ecdsa-sha2-nistp521":                     "Ed25519 and P-256",
		"webauthn-sk-ecdsa-sha2-nistp256@own.com": "Ed25519 and P-256",
	} {
		refused(t, usable(kind), keyring.ErrKind, says)
	}
}

func TestEmptyAgentSaysWhatToType(t *testing.T) {
	_, err := start(t, true).add(start(t, true).ring(), "a", "")
	refused(t, err, keyring.ErrNoKey, "ssh-add")
}

func TestAgentWithoutTheKeyListsWhatItHas(t *testing.T) {
	w := start(t, true)
	w.key("one", "ed25519")
	_, err := w.add(w.ring(), "a", "two")
	refused(t, err, keyring.ErrNoKey, "ssh-ed25519 one")
}

func TestNoAgentAtAll(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	w := &world{t: t}
	_, err := w.add(w.ring(), "a", "")
	refused(t, err, keyring.ErrUnreachable, "SSH_AUTH_SOCK is not set")
}

func TestLockedAgentIsNamed(t *testing.T) {
	w := start(t, true)
	w.key("one", "ed25519")
	key := w.enrolled("one")
	w.run("ssh-add", "-x") // askpass gives the lock's password
	_, err := key.Sign(t.Context(), []byte("{}"))
	refused(t, err, keyring.ErrNoKey, "locked")
	w.run("ssh-add", "-X")
	if _, err := key.Sign(t.Context(), []byte("{}")); err != nil {
		t.Errorf("after it was unlocked: %v", err)
	}
}

func TestKeyRemovedDuringTheCeremonyIsNamed(t *testing.T) {
	w := start(t, true)
	w.key("one", "ed25519")
	w.key("two", "ed25519")
	key := w.enrolled("one")
	w.run("ssh-add", "-q", "-d", w.files["one"])
	_, err := key.Sign(t.Context(), []byte("{}"))
	refused(t, err, keyring.ErrNoKey, "ssh-ed25519 two")
}

// The agent asks its person for each use of the key; here he says no.
func TestPersonWhoDeclinesAtTheAgentIsNamed(t *testing.T) {
	w := start(t, false)
	w.key("one", "ed25519", "-c")
	_, err := w.add(w.ring(), "a", "one")
	refused(t, err, keyring.ErrDeclined, "SHA256:")
}

func TestPersonWhoAgreesAtTheAgentSigns(t *testing.T) {
	w := start(t, true)
	w.key("one", "ecdsa-256", "-c")
	if _, err := w.enrolled("one").Sign(t.Context(), []byte("{}")); err != nil {
		t.Error(err)
	}
}

func TestAgentTakesNoMoreThanItCan(t *testing.T) {
	w := start(t, true)
	w.key("one", "ed25519")
	key := w.enrolled("one")
	if _, err := key.Sign(t.Context(), make([]byte, MaxPayload)); err != nil {
		t.Errorf("the largest payload: %v", err)
	}
	if _, err := key.Sign(t.Context(), make([]byte, MaxPayload+1)); err == nil {
		t.Error("a larger one was sent")
	}
}
