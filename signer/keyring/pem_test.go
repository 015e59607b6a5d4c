package keyring

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files in testdata/pem were written by OpenSSL 3.0; cryptography, which
// python-tuf and securesystemslib write keys with, gives the same forms.
func pemFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "pem", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func saying(word string) func() (string, error) {
	return func() (string, error) { return word, nil }
}

func TestKeysOfOtherToolsSignHere(t *testing.T) {
	for name, kind := range map[string]string{
		"ed25519.pem": "ed25519", "ed25519-encrypted.pem": "ed25519",
		"p256.pem": "ecdsa", "p256-sec1.pem": "ecdsa", "p256-encrypted.pem": "ecdsa",
	} {
		signer, err := ParsePEM(pemFile(t, name), saying("a test passphrase"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ring := Open(t.TempDir())
		public, err := ring.Import(NewKey{Name: "old", Holder: "Old Hand", WorkFactor: MinWorkFactor}, signer, "another passphrase")
		if err != nil || public.Key.Type != kind {
			t.Fatalf("%s: %+v, %v", name, public, err)
		}
		key, err := ring.Unlock(t.Context(), "old", answers("another passphrase"))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := key.Sign(t.Context(), []byte("payload"))
		if err != nil || !public.Key.Verify([]byte("payload"), sig) {
			t.Errorf("%s: the signature does not hold: %v", name, err)
		}
		if err := key.Close(); err != nil {
			t.Error(err)
		}
		if _, err := ring.Import(NewKey{Name: "old", Holder: "Old Hand", WorkFactor: MinWorkFactor}, signer, "another passphrase"); err == nil {
			t.Errorf("%s: replaced a key", name)
		}
	}
}

func TestWrongPassphraseOfAPEMFileIsSaid(t *testing.T) {
	for _, name := range []string{"ed25519-encrypted.pem", "p256-encrypted.pem"} {
		if _, err := ParsePEM(pemFile(t, name), saying("another")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOtherFilesAreNoKeys(t *testing.T) {
	for name, c := range map[string]struct{ text, word string }{
		"nothing":     {"", "no private key in PEM form"},
		"a public":    {"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n", "no private key"},
		"old openssl": {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n", "pkcs8 -topk8"},
		"RSA":         {"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "sign with the tool"},
		"garbage":     {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "not an encrypted PKCS #8 key"},
		"too long":    {strings.Repeat("x", MaxPEM+1), "at most"},
	} {
		if _, err := ParsePEM([]byte(c.text), saying("x")); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePEM(f *testing.F) {
	for _, name := range []string{"ed25519.pem", "ed25519-encrypted.pem", "p256.pem", "p256-sec1.pem", "p256-encrypted.pem"} {
		f.Add(pemFile(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1024 {
			return // long files only cost time
		}
		signer, err := ParsePEM(data, saying("a test passphrase"))
		if err != nil {
			return
		}
		if _, err := KeyOf(signer.Public()); err != nil {
			t.Error("a key was taken that cannot be used")
		}
	})
}

// answers says one secret, whatever is asked.
type answers string

func (a answers) Ask(context.Context, Question) (string, error) { return string(a), nil }
func (a answers) Tries() int                                    { return 1 }
