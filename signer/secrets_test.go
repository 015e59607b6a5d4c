package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/rogpeppe/go-internal/testscript"
)

// Secrets that the script secrets.txtar uses. A PIN and a token of a service
// are told apart from passphrases by where they would turn up.
const (
	secretPass  = "correct horse battery staple"
	secretWrong = "wrong horse battery staple"
	secretToken = "hvs.CAESIJ-a-secret-of-a-service"
)

// spellings are the ways in which a secret could show: as it is, in hex, and in
// base64, wherever in a longer text it stands.
func spellings(secret []byte) (all [][]byte) {
	text := hex.EncodeToString(secret)
	all = append(all, secret, []byte(text), []byte(strings.ToUpper(text)))
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			encoded := e.EncodeToString(append(make([]byte, shift), secret...))
			// the first and last digits depend on what stands beside the secret
			all = append(all, []byte(encoded[(shift*8+5)/6:len(encoded)-1]))
		}
	}
	return all
}

func shows(data []byte, secrets [][]byte) bool {
	return slices.ContainsFunc(secrets, func(secret []byte) bool {
		return slices.ContainsFunc(spellings(secret), func(s []byte) bool { return bytes.Contains(data, s) })
	})
}

// privateBytes opens NAME.key as this program does not let anybody do, and
// gives the secret in it in each form that it has.
func privateBytes(ts *testscript.TestScript, file string) [][]byte {
	sealed, err := os.ReadFile(file)
	ts.Check(err)
	id, err := age.NewScryptIdentity(secretPass)
	ts.Check(err)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), id)
	ts.Check(err)
	plain, err := io.ReadAll(r)
	ts.Check(err)
	var inside struct{ PKCS8 []byte }
	ts.Check(json.Unmarshal(plain, &inside))
	key, err := x509.ParsePKCS8PrivateKey(inside.PKCS8)
	ts.Check(err)
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return [][]byte{key.Seed()}
	case *ecdsa.PrivateKey:
		scalar, err := key.Bytes()
		ts.Check(err)
		return [][]byte{scalar}
	}
	ts.Fatalf("%s holds a %T", file, key)
	return nil
}

// quietly runs candor-signer and fails if a secret shows in what it prints, or
// in any file under the working directory but those that the script gave it:
// quietly [!] ARGS…
func quietly(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("candor-signer", args...)
	if (err != nil) != neg {
		ts.Fatalf("candor-signer %q: %v", args, err)
	}
	secrets := [][]byte{[]byte(secretPass), []byte(secretWrong), []byte(secretToken)}
	if pin := ts.Getenv("PIN"); pin != "" {
		secrets = append(secrets, []byte(pin))
	}
	keys, err := filepath.Glob(ts.MkAbs("keys/*.key"))
	ts.Check(err)
	for _, file := range keys {
		if data, err := os.ReadFile(file); err == nil && bytes.HasPrefix(data, []byte("-----BEGIN AGE")) {
			secrets = append(secrets, privateBytes(ts, file)...)
		}
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if shows([]byte(ts.ReadFile(stream)), secrets) {
			ts.Fatalf("candor-signer %q shows a secret on %s", args, stream)
		}
	}
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Dir(path) == ts.MkAbs("given") {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && shows(data, secrets) {
			ts.Fatalf("after candor-signer %q a secret is in %s", args, path)
		}
		return err
	}))
}

func TestSecretsAreFoundInEverySpelling(t *testing.T) {
	secret := []byte{0xfb, 1, 2, 3, 0xff, 5, 6, 7, 8, 9, 10}
	for _, shown := range []string{
		"x" + string(secret) + "y", hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		base64.StdEncoding.EncodeToString(secret), base64.URLEncoding.EncodeToString(secret),
		base64.StdEncoding.EncodeToString(append([]byte("a"), append(secret, 'b')...)),
		base64.StdEncoding.EncodeToString(append([]byte("ab"), append(secret, 'b')...)),
		base64.StdEncoding.EncodeToString(append([]byte("abc"), append(secret, "bc"...)...)),
	} {
		if !shows([]byte(shown), [][]byte{secret}) {
			t.Errorf("not seen in %q", shown)
		}
	}
	if shows([]byte("nothing here"), [][]byte{secret}) {
		t.Error("seen where it is not")
	}
}
