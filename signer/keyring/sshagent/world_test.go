package sshagent

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/keyringtest"
)

// world is a real ssh-agent with an empty home of its own.
type world struct {
	t      *testing.T
	dir    string
	socket string
	files  map[string]string // key file by name of the key
	stop   func()
}

// start runs an agent that asks its person with the program askpass, which
// says yes (exit status 0) or no.
func start(t *testing.T, agrees bool) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // sockets need short paths
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, socket: filepath.Join(dir, "socket"), files: map[string]string{}}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	answer := "exit 1"
	if agrees {
		answer = "echo yes" // which also serves as the password of a lock
	}
	w.write("askpass", "#!/bin/sh\n"+answer+"\n", 0o700)
	agent := exec.Command("ssh-agent", "-D", "-a", w.socket)
	agent.Env = w.environ()
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	w.stop = sync.OnceFunc(func() {
		err := agent.Process.Kill()
		var killed *exec.ExitError
		if waited := agent.Wait(); err != nil || !errors.As(waited, &killed) {
			t.Errorf("the agent ended by itself: %v, %v", err, waited)
		}
	})
	t.Cleanup(w.stop)
	if _, err := out.Read(make([]byte, 100)); err != nil { // it prints its socket once it listens
		t.Fatal(err)
	}
	return w
}

func (w *world) environ() []string {
	return append(os.Environ(), "SSH_AUTH_SOCK="+w.socket, "SSH_ASKPASS="+filepath.Join(w.dir, "askpass"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:none", "HOME="+w.dir)
}

func (w *world) write(name, text string, mode os.FileMode) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run(program string, args ...string) {
	w.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = w.environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// key makes a key with ssh-keygen and gives it to the agent. kind is what
// ssh-keygen -t takes, and its bits.
func (w *world) key(name, kind string, options ...string) string {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	kind, bits, _ := strings.Cut(kind, "-")
	args := []string{"-q", "-t", kind, "-N", "", "-C", name, "-f", file}
	if bits != "" {
		args = append(args, "-b", bits)
	}
	w.run("ssh-keygen", args...)
	w.run("ssh-add", append(append([]string{"-q"}, options...), file)...)
	w.files[name] = file
	return file
}

var kinds = map[string]string{keyring.TypeEd25519: "ed25519", keyring.TypeP256: "ecdsa-256"}

func (w *world) ring() *keyring.Ring {
	return keyring.Open(w.t.TempDir(), Backend{Socket: w.socket})
}

func (w *world) add(r *keyring.Ring, name, match string) (keyring.Public, error) {
	return r.Add(w.t.Context(), keyring.KeyElsewhere{
		Name: name, Holder: keyringtest.Holder, At: keyring.Location{Kind: Kind, Words: []string{match}}, Timeout: keyring.DefaultTimeout,
	}, keyring.Passphrase("no secret is asked for"))
}

// enrolled is a ring with one key, opened.
func (w *world) enrolled(name string) keyring.Signer {
	w.t.Helper()
	r := w.ring()
	if _, err := w.add(r, "alice", name); err != nil {
		w.t.Fatal(err)
	}
	key, err := r.Unlock(w.t.Context(), "alice", keyring.Passphrase(""))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { key.Close() })
	return key
}

func refused(t *testing.T, err, want error, says string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, expected %q, saying %q", err, want, says)
	}
}
