package ceremony_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/scripts/world"
)

// kills is how often each command is killed before it may end, and latest how
// far into it: most take less.
const (
	kills  = 4
	latest = 60 * time.Millisecond
)

// stubborn runs the signer again and again, as people do whose machine goes
// down, until it was left alone. What is there already is there.
type stubborn struct {
	t      *testing.T
	w      *world.World
	random *rand.Rand
	killed int // in the middle
}

func (s *stubborn) signer(args ...string) string {
	s.t.Helper()
	for n := range kills + 1 {
		cmd := exec.Command(s.w.Path("bin", "candor-signer"), args...)
		cmd.Dir = s.w.Dir
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		if n < kills {
			timer := time.AfterFunc(time.Duration(s.random.Int64N(int64(latest))), func() {
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
					s.t.Error(err)
				}
			})
			defer timer.Stop()
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		switch {
		case err == nil, strings.Contains(errs.String(), "exists already"):
			if n == kills {
				return out.String()
			}
		case errors.As(err, &exit) && !exit.Exited():
			s.killed++
		default:
			s.t.Fatalf("after %d kills %s: %v: %s", n, strings.Join(args, " "), err, &errs)
		}
	}
	return ""
}

func (s *stubborn) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.w.Path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// TestSignerKilledAtAnyMomentGoesOn kills every command of a ceremony a few
// times and runs it again. In the end all is published, nothing twice.
func TestSignerKilledAtAnyMomentGoesOn(t *testing.T) {
	w, err := world.New(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := &stubborn{t: t, w: w, random: rand.New(rand.NewPCG(seed, 0))}
	pass := []string{"--passphrase-file", "pass", "--yes"}
	at := []string{"--server", w.Server, "--token-file", "token"}
	sign := func(what string, key string, more ...string) {
		s.signer(append(append([]string{"event", "sign", what, "--key", key}, pass...), more...)...)
	}
	for _, name := range []string{"alice", "bob", "dora", "emil"} {
		s.signer("key", "new", name, "--holder", "Holder "+name, "--work-factor", "10", "--passphrase-file", "pass")
		s.write(name+".pub", s.signer("key", "show", name, "--public"))
	}
	s.signer("init", "--root-key", "alice.pub", "--root-key", "bob.pub", "--threshold", "2", "--online", "data/online-keys.json")
	sign("init.proposal.json", "alice")
	sign("init.proposal.json", "bob")
	s.signer(append([]string{"event", "publish", "init.proposal.json"}, at...)...)

	s.signer("product", "add", string(product), "--engineer", "dora.pub", "--engineer", "emil.pub", "--threshold", "2", "--server", w.Server)
	s.signer(append([]string{"event", "open", "phone.proposal.json"}, at...)...)
	id := strings.TrimSpace(s.eventID())
	sign(id, "alice", at...)
	sign(id, "dora", at...)
	s.signer(append([]string{"event", "export", id, "--out", "stick.json"}, at...)...)
	sign("stick.json", "bob")
	sign("stick.json", "emil")
	s.signer(append([]string{"event", "import", "stick.json"}, at...)...)
	s.signer(append([]string{"event", "publish", id}, at...)...)

	manifest, err := world.Example(product, 42, "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n")
	if err != nil {
		t.Fatal(err)
	}
	s.write("release.yaml", string(manifest))
	s.write("system.img", strings.Repeat("an image, of which chunks are made\n", 100_000))
	if _, err := w.Exec(ctx, "signer", "release", "build", "release.yaml", "--image", "system=system.img", "--server", w.Server, "--out", "out"); err != nil {
		t.Fatal(err)
	}
	release := filepath.Join("out", "phone-42.proposal.json")
	sign(release, "dora", "--builder")
	sign(release, "emil", "--image", "system=system.img")
	s.signer(append([]string{"event", "publish", release, "--blobs", "out"}, at...)...)

	if _, err := w.Published(ctx, product, 42); err != nil {
		t.Error(err)
	}
	if _, err := w.Exec(ctx, "signer", "lint", "--server", w.Server); err != nil {
		t.Error(err)
	}
	if s.killed == 0 {
		t.Error("no command was killed in the middle; the kills come too late")
	}
	t.Logf("killed %d times in the middle", s.killed)
}

// eventID reads the ID of the only open event.
func (s *stubborn) eventID() string {
	s.t.Helper()
	list := s.signer("event", "list", "--server", s.w.Server, "--token-file", "token")
	id, _, _ := strings.Cut(list, " ")
	return id
}
