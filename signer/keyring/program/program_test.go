package program

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/keyringtest"
)

// shell is the example of signer/README.md: a program of a few lines of sh.
var shell = sync.OnceValue(func() string {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		panic(err)
	}
	_, text, found := strings.Cut(string(readme), "```sh\n")
	text, _, ends := strings.Cut(text, "```")
	if !found || !ends || !strings.Contains(text, `"do":"sign"`) {
		panic("signer/README.md has no example of a program")
	}
	return text
})

// world is a directory with programs and keys.
type world struct {
	t   *testing.T
	dir string
}

func newWorld(t *testing.T) *world {
	w := &world{t, t.TempDir()}
	w.script("signer", shell())
	return w
}

func (w *world) script(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) remove(path string) {
	w.t.Helper()
	if err := os.Remove(path); err != nil {
		w.t.Fatal(err)
	}
}

// key writes a new private key to a PEM file.
func (w *world) key(name string, curve elliptic.Curve) string {
	w.t.Helper()
	var key crypto.PrivateKey
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if curve != nil {
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.script(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func add(t *testing.T, r *keyring.Ring, name string, words ...string) (keyring.Public, error) {
	return r.Add(t.Context(), keyring.KeyElsewhere{
		Name: name, Holder: keyringtest.Holder, At: keyring.Location{Kind: Kind, Words: words}, Timeout: keyring.DefaultTimeout,
	}, keyring.Passphrase(""))
}

func TestProgramsKeepThePromisesOfKeys(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) keyringtest.Place {
		w := newWorld(t)
		program := filepath.Join(w.dir, "signer")
		// What a program should say when its key is not there.
		w.script("signer", strings.Replace(shell(), "read -r question\n", "read -r question\n[ -f \"$1\" ] || { echo '{\"error\":\"no file\",\"code\":\"no-key\"}'; exit 1; }\n", 1))
		return keyringtest.Place{
			Backend: Backend{}, Ask: keyring.Passphrase(""), Kinds: []string{keyring.TypeP256},
			Make: func(t *testing.T, r *keyring.Ring, name, _ string) (keyring.Public, error) {
				file := filepath.Join(w.dir, name+".pem")
				if _, err := os.Stat(file); err != nil {
					w.key(name, elliptic.P256())
				}
				return add(t, r, name, program, file)
			},
			MakeOther: func(t *testing.T, r *keyring.Ring, name string) error {
				_, err := add(t, r, name, program, w.key(name, elliptic.P384()))
				return err
			},
			Remove:  func(_ *testing.T, _ *keyring.Ring, name string) { w.remove(filepath.Join(w.dir, name+".pem")) },
			Break:   func(*testing.T) { w.remove(program) },
			Broken:  keyring.ErrUnreachable,
			Forgets: true,
		}
	})
}

func TestEd25519ThroughAProgram(t *testing.T) {
	w := newWorld(t)
	sh := strings.Replace(shell(), `openssl dgst -sha256 -sign "$1"`, `{ cat >"$1.in"; openssl pkeyutl -sign -rawin -inkey "$1" -in "$1.in"; }`, 1)
	r := keyring.Open(t.TempDir(), Backend{})
	if _, err := add(t, r, "alice", w.script("ed", sh), w.key("ed", nil)); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersThatAreNoAnswersAreNamed(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		says, expect string
		is           error
	}{
		"silent":         {"exit 3", "exit status 3", nil},
		"not JSON":       {"echo hello", "not what the protocol asks for", nil},
		"two objects":    {`echo '{"public":"AA=="}{}'`, "not what the protocol asks for", nil},
		"unknown field":  {`echo '{"public":"AA==","extra":"x"}'`, "extra", nil},
		"not base64":     {`echo '{"public":"*"}'`, "public", nil},
		"no key in it":   {`echo '{"public":"AAAA"}'`, "SubjectPublicKeyInfo", nil},
		"empty":          {`echo '{}'`, "SubjectPublicKeyInfo", nil},
		"too long":       {`yes | head -c 70000; exec sleep 60`, "more than 65536", nil},
		"fails after":    {`echo '{"public":"AAAA"}'; exit 1`, "and then failed", nil},
		"killed":         {`kill -9 $$`, "killed", nil},
		"error":          {`echo '{"error":"the smoke got out"}'`, "smoke", nil},
		"declined":       {`echo '{"error":"he said no","code":"declined"}'; exit 1`, "he said no", keyring.ErrDeclined},
		"unreachable":    {`echo '{"error":"no network","code":"unreachable"}'`, "no network", keyring.ErrUnreachable},
		"unknown code":   {`echo '{"error":"x","code":"tired"}'`, "unknown code", nil},
		"cursor control": {`printf '{"error":"\033[2J"}'`, "not what the protocol asks for", nil},
	} {
		dir := t.TempDir()
		_, err := add(t, keyring.Open(dir, Backend{}), "alice", w.script("odd", "#!/bin/sh\n"+c.says+"\n"))
		if err == nil || !strings.Contains(err.Error(), c.expect) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: got %v, expected %q, %v", name, err, c.expect, c.is)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}

func TestProgramThatHangsIsEnded(t *testing.T) {
	w := newWorld(t)
	fifo := w.script("hang", "#!/bin/sh\ncat >/dev/null\necho started >&2\nexec sleep 600\n")
	ctx, cancel := context.WithCancel(t.Context())
	told := writer(func(p []byte) { cancel() })
	_, err := Backend{Stderr: told}.Open(ctx, keyring.Location{Kind: Kind, Words: []string{fifo}}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

func TestProgramSeesNothingSecret(t *testing.T) {
	w := newWorld(t)
	t.Setenv("VAULT_TOKEN", "hvs.secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("LC_ALL", "C")
	seen := filepath.Join(w.dir, "seen")
	_, err := add(t, keyring.Open(t.TempDir(), Backend{}), "alice", w.script("spy", "#!/bin/sh\nenv >"+seen+"\ntr '\\0' '\\n' </proc/self/environ >>"+seen+"\n"))
	if err == nil {
		t.Fatal("a program that says nothing was added")
	}
	data, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("secret")) || !bytes.Contains(data, []byte("PATH=")) || !bytes.Contains(data, []byte("LC_ALL=C")) {
		t.Errorf("the program saw\n%s", data)
	}
}

func TestMessagesReachThePersonCleanAndBounded(t *testing.T) {
	w := newWorld(t)
	var shown bytes.Buffer
	noisy := w.script("noisy", "#!/bin/sh\nprintf 'touch it\\033[2J now\\n' >&2\nyes | head -c 200000 >&2\necho '{\"error\":\"x\"}'\n")
	if _, err := (Backend{Stderr: &shown}).Open(t.Context(), keyring.Location{Kind: Kind, Words: []string{noisy}}, nil); err == nil {
		t.Fatal("opened")
	}
	if !strings.HasPrefix(shown.String(), "touch it[2J now\n") || shown.Len() > maxStderr {
		t.Errorf("%d bytes: %.40q", shown.Len(), shown.String())
	}
}

func TestRelativeProgramIsPinnedToItsPlace(t *testing.T) {
	w := newWorld(t)
	t.Chdir(w.dir)
	t.Setenv("PATH", w.dir+":"+os.Getenv("PATH"))
	r := keyring.Open(t.TempDir(), Backend{})
	for name, given := range map[string]string{"in-path": "signer", "beside": "./signer"} {
		if _, err := add(t, r, name, given, w.key(name, elliptic.P256())); err != nil {
			t.Fatal(err)
		}
		at, err := r.Location(name)
		if err != nil || at.Words[0] != filepath.Join(w.dir, "signer") {
			t.Errorf("%s: %v, %v", given, at, err)
		}
	}
}

func TestCommandLineIsSplitWithoutAShell(t *testing.T) {
	for line, want := range map[string][]string{
		"prog a  b":          {"prog", "a", "b"},
		`prog 'a b' "c d"e`:  {"prog", "a b", "c de"},
		`prog ''`:            {"prog", ""},
		"prog $HOME `id` *;": {"prog", "$HOME", "`id`", "*;"},
	} {
		got, err := Split(line)
		if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{"", "  ", "prog 'a"} {
		if got, err := Split(line); err == nil {
			t.Errorf("%q: %q", line, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"public":"AAAA"}`, `{"signature":"AA=="}`, `{"error":"x","code":"declined"}`, ` {} `, `{"code":"x"}`, `{"public":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := parse(data); err == nil && (a.Error != "" || a.Code != "" || len(data) > MaxAnswer+2) {
			t.Errorf("%q was taken as %+v", data, a)
		}
	})
}
