package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/signer/keyring"
)

// maxStderr bounds what a program may tell the person in one run.
const maxStderr = 64 << 10

// Environment lists the variables that a program gets, besides LC_*: what it
// needs to find itself, its files, its person and an agent. Tokens, passwords
// and whatever else stands in the environment stay here; a program that needs
// some reads them from a file.
var Environment = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
	"SSH_AUTH_SOCK", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "SYSTEMROOT",
}

// scrubbed is what is left of an environment.
func scrubbed(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(Environment, name) && !strings.HasPrefix(name, "LC_")
	})
}

// ask runs the program with one question.
func (h *held) ask(ctx context.Context, q question) (answer, error) {
	q.Version = Version
	line, err := strict.Canonical(q)
	if err != nil {
		return answer{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	out := &bounded{limit: MaxAnswer, full: stop}
	cmd := exec.CommandContext(running, h.argv[0], h.argv[1:]...)
	cmd.Env = scrubbed(os.Environ())
	cmd.Stdin = bytes.NewReader(append(line, '\n'))
	cmd.Stdout = out
	cmd.Stderr = &relay{to: h.stderr, left: maxStderr}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return answer{}, fmt.Errorf("%w: %w", keyring.ErrUnreachable, err)
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return answer{}, context.Cause(ctx)
	case out.over:
		return answer{}, fmt.Errorf("command %s: it answered more than %d bytes", h.argv[0], MaxAnswer)
	case len(bytes.TrimSpace(out.data)) == 0 && err != nil:
		return answer{}, fmt.Errorf("command %s: it failed without an answer (%w)", h.argv[0], err)
	}
	a, parseErr := parse(out.data)
	if parseErr != nil {
		return answer{}, fmt.Errorf("command %s: %w", h.argv[0], parseErr)
	}
	if err != nil {
		return answer{}, fmt.Errorf("command %s: it answered, and then failed (%w)", h.argv[0], err)
	}
	return a, nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	data  []byte
	limit int
	over  bool
	full  func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - len(b.data); len(p) > room {
		b.over = true
		b.full()
		b.data = append(b.data, p[:room]...)
		return room, errors.New("too long")
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// relay shows a program's messages to the person, without what would move the
// cursor, and no more than it may.
type relay struct {
	to   io.Writer
	left int
}

func (r *relay) Write(p []byte) (int, error) {
	shown := p[:min(len(p), r.left)]
	r.left -= len(shown)
	if r.to == nil {
		return len(p), nil
	}
	text := strings.Map(func(c rune) rune {
		if strict.CheckText("", string(c)) != nil {
			return -1
		}
		return c
	}, string(shown))
	if _, err := r.to.Write([]byte(text)); err != nil {
		return 0, err
	}
	return len(p), nil
}
