package hooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/hooks"
	"github.com/candor-ota/candor/manifests"
)

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

func programs(commands ...[]string) hooks.Programs {
	return hooks.Programs{Commands: commands, Timeout: 10 * time.Second}
}

func TestAllProgramsMustSucceed(t *testing.T) {
	good := sh("exit 0")
	if err := programs(good, good).Run(context.Background(), hooks.Input{}); err != nil {
		t.Fatal(err)
	}
	if err := (hooks.Programs{}).Run(context.Background(), hooks.Input{}); err != nil {
		t.Fatalf("no program: %v", err)
	}
	for name, c := range map[string]struct {
		command []string
		want    string
	}{
		"fails":     {sh("echo no modem; exit 3"), "no modem"},
		"is absent": {[]string{"/nonexistent/check"}, "no such file"},
		"floods":    {sh("head -c 1000000 /dev/zero | tr '\\0' x; exit 1"), "exit status 1"},
		"is killed": {sh("kill -9 $$"), "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := programs(good, c.command, good).Run(context.Background(), hooks.Input{Hook: hooks.Health})
			var notNow *hooks.NotNow
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "hook health") || len(err.Error()) > 4096 || errors.As(err, &notNow) {
				t.Fatalf("got %.200v, want %q", err, c.want)
			}
		})
	}
}

func TestProgramIsToldWhatIsInstalled(t *testing.T) {
	out := filepath.Join(t.TempDir(), "in")
	in := hooks.Input{Hook: hooks.Health, Product: "phone", Build: 42, FromBuild: 41, Slot: "b", Images: map[manifests.Name]string{"system": "/dev/x"}}
	if err := programs(sh("cat > "+out)).Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil || string(got) != `{"hook":"health","product":"phone","build":42,"fromBuild":41,"slot":"b","images":{"system":"/dev/x"}}` {
		t.Fatalf("got %s, %v", got, err)
	}
	var read hooks.Input
	if err := json.Unmarshal(got, &read); err != nil || read.Hook != hooks.Health || read.FromBuild != 41 {
		t.Fatalf("%+v, %v", read, err)
	}
}

func TestTemporaryFailureIsNotNow(t *testing.T) {
	for script, want := range map[string]string{
		"echo; echo 'a call is on'; exit 75":                    "a call is on",
		"printf '\\033[2Jcleared\\n\\tand \\377 more'; exit 75": "[2Jcleared and more",
		"exit 75": "",
	} {
		err := programs(sh(script)).Run(context.Background(), hooks.Input{Hook: hooks.PreInstall})
		var notNow *hooks.NotNow
		if !errors.As(err, &notNow) || notNow.Sentence != want {
			t.Errorf("%s: got %v (%+v), want %q", script, err, notNow, want)
		}
	}
}

// fifo is a pipe by name: opening an end of it waits for the other.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProgramThatHangsIsKilledWithItsChildren(t *testing.T) {
	for limit := 500 * time.Millisecond; ; limit *= 2 { // a slow machine has not started them when the time is over
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		// The grandchild holds the pipe for as long as it lives.
		script := fmt.Sprintf("(exec 3>/proc/%d/fd/%d; echo $$ >&3; while :; do sleep 1; done) & wait", os.Getpid(), w.Fd())
		err = (hooks.Programs{Commands: [][]string{sh(script)}, Timeout: limit}).Run(context.Background(), hooks.Input{Hook: hooks.PreCheck})
		if err == nil || !strings.Contains(err.Error(), "no answer within "+limit.String()) {
			t.Fatalf("got %v", err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(r) // ends when the grandchild has
		if err = errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if len(said) == 0 {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(said))); err != nil || pid < 2 {
			t.Fatalf("it said %q", said)
		}
		return
	}
}

func TestStoppedAgentIsNoFailureOfTheProgram(t *testing.T) {
	path := fifo(t)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		f, err := os.Open(path) // the program has started
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Error(err)
		}
		stop()
	}()
	err := programs(sh("echo started > "+path+"; while :; do sleep 1; done")).Run(ctx, hooks.Input{Hook: hooks.Health})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
