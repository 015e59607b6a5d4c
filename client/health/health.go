// Package health decides whether a new build works, before it is kept.
//
// The checks are programs that the integrator names. Each is given a JSON
// object on standard input that says what was booted, and has a time limit;
// exit status 0 means well. All must succeed. What a check prints is shown to
// people, cut short, and goes nowhere else. A check that cannot be started has
// failed: a handset that cannot look at itself is not known to be well.
package health

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// maxWords bounds how much of a check's output is kept, in bytes.
const maxWords = 2 << 10

// Booted is what a check reads on standard input.
type Booted struct {
	Product manifests.Product         `json:"product"`
	Build   manifests.Build           `json:"build"`
	Slot    string                    `json:"slot"`
	Images  map[manifests.Name]string `json:"images"` // by name, the paths of the slot's files or partitions
}

// Check is one program and its arguments.
type Check struct {
	Command []string
	Timeout time.Duration
}

// Run runs the checks in order and returns the first failure, in words.
func Run(ctx context.Context, checks []Check, b Booted) error {
	input, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	for _, c := range checks {
		if err := c.run(ctx, input); err != nil {
			return fmt.Errorf("health check %s: %w", c.Command[0], err)
		}
	}
	return nil
}

func (c Check) run(ctx context.Context, input []byte) error {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, c.Command[0], c.Command[1:]...)
	words := &bounded{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), words, words
	// A check may have children; the whole group ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("no answer within %s", c.Timeout)
	}
	var exit *exec.ExitError
	if said := words.String(); errors.As(err, &exit) && said != "" {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ b bytes.Buffer }

func (w *bounded) Write(p []byte) (int, error) {
	if room := maxWords - w.b.Len(); room > 0 {
		w.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (w *bounded) String() string { return strings.TrimSpace(w.b.String()) }
