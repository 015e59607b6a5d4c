package sshagent

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// faulty is an agent that goes wrong as no real one does on demand.
type faulty struct {
	agent.Agent
	sign func(key ssh.PublicKey, data []byte) (*ssh.Signature, error)
}

func (f *faulty) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return f.sign(key, data)
}

// serve makes a world around an agent in this process that holds one key.
func serve(t *testing.T) (*world, *faulty) {
	t.Helper()
	inner := agent.NewKeyring()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.Add(agent.AddedKey{PrivateKey: key, Comment: "one"}); err != nil {
		t.Fatal(err)
	}
	f := &faulty{inner, inner.Sign}
	w := &world{t: t, socket: filepath.Join(t.TempDir(), "s")}
	l, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if err := agent.ServeAgent(&dying{f, conn}, conn); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
					t.Errorf("agent: %v", err)
				}
			}()
		}
	}()
	return w, f
}

// dying hangs up when its agent says errDies.
type dying struct {
	*faulty
	conn net.Conn
}

var errDies = errors.New("dies")

func (d *dying) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	sig, err := d.faulty.Sign(key, data)
	if errors.Is(err, errDies) {
		d.conn.Close()
	}
	return sig, err
}

func TestAgentThatDiesWhileSigningIsNamed(t *testing.T) {
	w, f := serve(t)
	key := w.enrolled("one")
	f.sign = func(ssh.PublicKey, []byte) (*ssh.Signature, error) { return nil, errDies }
	_, err := key.Sign(t.Context(), []byte("{}"))
	refused(t, err, keyring.ErrUnreachable, "went away")
}

func TestSignatureOverOtherBytesIsNotUsed(t *testing.T) {
	w, f := serve(t)
	key := w.enrolled("one")
	f.sign = func(k ssh.PublicKey, data []byte) (*ssh.Signature, error) {
		return f.Agent.Sign(k, append([]byte("x"), data...))
	}
	_, err := key.Sign(t.Context(), []byte("{}"))
	refused(t, err, keyring.ErrWrongSignature, "alice")
	_, err = w.add(w.ring(), "b", "one")
	refused(t, err, keyring.ErrWrongSignature, "trial")
}

func TestMalformedSignaturesAreNotUsed(t *testing.T) {
	w, f := serve(t)
	key := w.enrolled("one")
	for name, sig := range map[string]*ssh.Signature{
		"of another type": {Format: "ssh-rsa", Blob: make([]byte, 64)},
		"empty":           {Format: "ssh-ed25519"},
		"with more":       {Format: "ssh-ed25519", Blob: make([]byte, 64), Rest: []byte{1}},
	} {
		f.sign = func(ssh.PublicKey, []byte) (*ssh.Signature, error) { return sig, nil }
		if _, err := key.Sign(t.Context(), []byte("{}")); !errors.Is(err, keyring.ErrWrongSignature) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, blob := range map[string][]byte{"no integers": {1, 2, 3}, "one integer": {0, 0, 0, 1, 5}, "none": {}} {
		if _, err := plain(ssh.KeyAlgoECDSA256, &ssh.Signature{Format: ssh.KeyAlgoECDSA256, Blob: blob}); !errors.Is(err, keyring.ErrWrongSignature) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
