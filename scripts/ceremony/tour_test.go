package ceremony_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/scripts/world"
)

// What newcomers type, line by line, must end as the text beside it says: the
// tour of README.md, and the handsets on a desk of client/README.md after it.
func TestToursEndAsTheySay(t *testing.T) {
	module, err := world.Root()
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer(
		"-C .. -o tour/", "-C "+module+" -o $PWD/",
		"-C ..", "-C "+module,
		" ../manifests", " "+module+"/manifests",
		"127.0.0.1:8080", address(t),
		"127.0.0.1:8081", address(t),
	)
	dir := t.TempDir()
	tour := shell(t, filepath.Join(module, "README.md"))
	if len(tour) != 1 {
		t.Fatalf("README.md has %d tours", len(tour))
	}
	if said := play(t, dir, here.Replace(tour[0])); !strings.Contains(said, "slot b holds what was signed") {
		t.Fatalf("the tour does not end with the image in slot b:\n%s", said)
	}
	desk := shell(t, filepath.Join(module, "client", "README.md"))
	if len(desk) < 2 || !strings.Contains(desk[0], "bad.yaml") || !strings.Contains(desk[1], "candor-client tuf") {
		t.Fatalf("client/README.md does not begin with the handsets on a desk: %q", desk)
	}
	said := play(t, dir, here.Replace(desk[0]+desk[1]))
	for _, want := range []string{"charg", "runs build 41", "did not prove itself", "runs build 42"} {
		_, after, ok := strings.Cut(said, want)
		if !ok {
			t.Fatalf("the handset on the desk never says %q, or too early:\n%s", want, said)
		}
		said = after
	}
	got, err := filepath.Glob(filepath.Join(dir, "tour", "td", "*42.json"))
	if err != nil || len(got) != 1 {
		t.Errorf("the plain TUF client left %v, %v", got, err)
	}
}

// shell gives the blocks of a text that are shell.
func shell(t *testing.T, name string) (blocks []string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(data), "\n```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

// play runs a script in a group of its own and ends what it left running.
func play(t *testing.T, dir, script string) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	hung := time.AfterFunc(10*time.Minute, func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	failed := cmd.Wait()
	hung.Stop()
	if err := end(); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
	said, err := os.ReadFile(out.Name())
	if err = errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatalf("%v:\n%s", failed, said)
	}
	return string(said)
}

// address is one on which nobody listens.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(l.Addr())
}
