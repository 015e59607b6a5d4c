package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
)

// asProgram is this test as the program candor-signer, for a test that needs more
// of its process than a script can say.
func asProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "candor-signer")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// killed runs a command line under strace, which kills it as it enters a system
// call for the nth time, and reports whether that came to pass.
func killed(t *testing.T, call string, nth int, argv ...string) bool {
	t.Helper()
	inject := fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, nth)
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-o", os.DevNull, "-e", "trace=" + call, "-e", inject}, argv...)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	t.Fatalf("%s %d: %v\n%s", call, nth, err, out)
	return false
}

const (
	killPass = keyring.Passphrase("a test passphrase")
	// maxCalls bounds how often one run may make one system call.
	maxCalls = 200
)

// whole checks a ring after a kill: the key is there and can be opened, or is
// not there; and it reports which.
func whole(t *testing.T, dir string, open func(*keyring.Ring) error) bool {
	t.Helper()
	r := keyring.Open(dir)
	keys, err := r.List()
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	if len(keys) > 0 {
		if err := open(r); err != nil {
			t.Fatalf("the key is there and does not open: %v", err)
		}
	}
	return len(keys) > 0
}

// finished checks that a ring holds one key and nothing else.
func finished(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != "alice.key alice.pub" {
		t.Errorf("the next run leaves %q", names)
	}
}

func TestKilledKeyNewLeavesAWholeKeyOrNone(t *testing.T) {
	signer, pw := asProgram(t), filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(pw, []byte(killPass), 0o600); err != nil {
		t.Fatal(err)
	}
	unlock := func(r *keyring.Ring) error {
		key, err := r.Unlock(t.Context(), "alice", killPass)
		if err != nil {
			return err
		}
		return key.Close()
	}
	kills := 0
	for _, call := range []string{"mkdirat", "flock", "fchmod", "write", "fsync", "renameat", "linkat", "unlinkat"} {
		for nth := 1; nth <= maxCalls; nth++ {
			dir := filepath.Join(t.TempDir(), "keys")
			argv := []string{signer, "--keys", dir, "key", "new", "alice", "--holder", "Alice", "--work-factor", "10", "--passphrase-file", pw}
			if !killed(t, call, nth, argv...) {
				break
			}
			kills++
			if whole(t, dir, unlock) {
				continue
			}
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("after a kill at %s %d: %v\n%s", call, nth, err, out)
			}
			finished(t, dir)
		}
	}
	if kills < 12 {
		t.Errorf("only %d kills", kills)
	}
}

func TestKilledKeyAddLeavesAWholeKeyOrNone(t *testing.T) {
	signer, dir := asProgram(t), t.TempDir()
	tool := filepath.Join(dir, "tool")
	script := `#!/bin/sh
read -r question
case $question in
*'"do":"public"'*)
  printf '{"public":"%s"}\n' "$(openssl pkey -in ` + dir + `/k.pem -pubout -outform DER | openssl base64 -A)" ;;
*)
  payload=${question#*'"payload":"'}
  printf '{"signature":"%s"}\n' "$(printf %s "${payload%%'"'*}" | openssl base64 -d -A | openssl dgst -sha256 -sign ` + dir + `/k.pem | openssl base64 -A)" ;;
esac
`
	if err := os.WriteFile(tool, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", filepath.Join(dir, "k.pem")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	locates := func(r *keyring.Ring) error {
		at, err := r.Location("alice")
		if err == nil && at.Words[0] != tool {
			err = fmt.Errorf("lives in %s", at)
		}
		return err
	}
	for _, call := range []string{"mkdirat", "flock", "fchmod", "fsync", "renameat", "linkat", "unlinkat"} {
		for nth := 1; nth <= maxCalls; nth++ {
			keys := filepath.Join(t.TempDir(), "keys")
			argv := []string{signer, "--keys", keys, "key", "add", "alice", "--holder", "Alice", "--command", tool}
			if !killed(t, call, nth, argv...) {
				break
			}
			if _, err := os.Stat(keys); errors.Is(err, fs.ErrNotExist) || whole(t, keys, locates) {
				continue
			}
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("after a kill at %s %d: %v\n%s", call, nth, err, out)
			}
			finished(t, keys)
		}
	}
}
