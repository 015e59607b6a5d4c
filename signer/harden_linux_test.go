package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// spy is run by another process, and writes down what it may see of that one.
const spy = `#!/bin/sh
cat "/proc/$PPID/limits" >"$1/limits"
for f in environ maps mem; do
  if (exec 3<"/proc/$PPID/$f") 2>/dev/null; then echo "$f" >>"$1/open"; fi
done
cat "/proc/$PPID/environ" >"$1/environ" 2>/dev/null
echo '{"error":"seen"}'
`

// as gives a command the rights of an ordinary user, since root sees all.
func as(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = os.TempDir() // which such a user can enter
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

// public is a directory that every user may read and write.
func public(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "signer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

func TestMemoryIsNeitherDumpedNorReadByOthers(t *testing.T) {
	dir := public(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	signer, tool := filepath.Join(dir, "candor-signer"), filepath.Join(dir, "spy")
	copyFile(t, self, signer)
	if err := os.WriteFile(tool, []byte(spy), 0o755); err != nil {
		t.Fatal(err)
	}

	// A process that does not hide is seen, so that the test can tell.
	seen := public(t)
	if out, err := as(exec.Command("sh", "-c", tool+" "+seen+"; true")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if open := read(t, filepath.Join(seen, "open")); !strings.Contains(open, "environ") {
		t.Fatalf("of a process that hides nothing the spy sees %q", open)
	}

	hidden := public(t)
	cmd := as(exec.Command(signer, "--keys", filepath.Join(hidden, "keys"), "key", "add", "a", "--holder", "A", "--command", tool+" "+hidden))
	cmd.Env = append(os.Environ(), "VAULT_TOKEN=hvs.secret")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "seen") {
		t.Fatalf("%v\n%s", err, out)
	}
	if open := read(t, filepath.Join(hidden, "open")); open != "" {
		t.Errorf("another process of the same user opens %q", open)
	}
	if environ := read(t, filepath.Join(hidden, "environ")); environ != "" {
		t.Errorf("another process of the same user reads the environment: %q", environ)
	}
	found := false
	for _, line := range strings.Split(read(t, filepath.Join(hidden, "limits")), "\n") {
		if limits, ok := strings.CutPrefix(line, "Max core file size"); ok {
			found = strings.Join(strings.Fields(limits), " ") == "0 0 bytes"
		}
	}
	if !found {
		t.Errorf("core dumps are not switched off:\n%s", read(t, filepath.Join(hidden, "limits")))
	}
}
