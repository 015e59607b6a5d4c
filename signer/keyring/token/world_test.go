//go:build pkcs11 && cgo

package token

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/keyringtest"
)

const (
	label = "Root keys"
	pin   = keyring.Passphrase("a pin of 4096")
)

// world is SoftHSM with a directory of its own, and one token.
type world struct {
	t      *testing.T
	module string
	tokens string
	ids    map[string]string // by label of the key
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, tokens: t.TempDir(), ids: map[string]string{}}
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/pkcs11/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			w.module = path
		}
	}
	if w.module == "" {
		t.Fatal("no libsofthsm2.so; install softhsm2")
	}
	conf := filepath.Join(t.TempDir(), "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+w.tokens+"\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	w.token(label)
	return w
}

func (w *world) run(program string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// token plugs in another token.
func (w *world) token(label string) {
	w.t.Helper()
	w.run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", string(pin), "--so-pin", "12345678")
}

func (w *world) tool(args ...string) string {
	w.t.Helper()
	return w.run("pkcs11-tool", append([]string{"--module", w.module, "--token-label", label, "--login", "--pin", string(pin)}, args...)...)
}

// key makes a key in the token.
func (w *world) key(name, kind string, options ...string) {
	w.t.Helper()
	w.ids[name] = fmt.Sprintf("%02x", len(w.ids)+1)
	w.tool(append([]string{"--keypairgen", "--key-type", kind, "--label", name, "--id", w.ids[name]}, options...)...)
}

var kinds = map[string]string{keyring.TypeEd25519: "EC:edwards25519", keyring.TypeP256: "EC:prime256v1"}

// uri names a key by its label, and whatever else is given.
func (w *world) uri(object string, more ...string) string {
	return fmt.Sprintf("pkcs11:token=%s;object=%s%s?module-path=%s", strings.ReplaceAll(label, " ", "%20"), object, strings.Join(more, ""), w.module)
}

func (w *world) add(r *keyring.Ring, name, uri string, ask keyring.Asker) (keyring.Public, error) {
	return r.Add(w.t.Context(), keyring.KeyElsewhere{
		Name: name, Holder: keyringtest.Holder, At: keyring.Location{Kind: Kind, Words: []string{uri}}, Timeout: keyring.DefaultTimeout,
	}, ask)
}

func (w *world) ring() *keyring.Ring { return keyring.Open(w.t.TempDir(), Backend{}) }

// counting is an Asker on a terminal that counts how often it was asked.
type counting struct {
	answer string
	asked  []keyring.Question
}

func (c *counting) Ask(_ context.Context, q keyring.Question) (string, error) {
	c.asked = append(c.asked, q)
	return c.answer, nil
}

func (c *counting) Tries() int { return 3 }

func expect(t *testing.T, err, want error, says string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, expected %q, saying %q", err, want, says)
	}
}
