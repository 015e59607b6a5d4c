// Package hooks runs the programs by which an integrator takes part in an
// update: he may hold it, prepare the handset for it, judge the new build, and
// clean up after it. He may not start one: nothing that a hook says makes an
// update go on that policy holds.
//
// Each hook is a list of programs, run in order. A program reads one JSON object
// (Input) on standard input and has a time limit; when that has passed, or the
// agent is stopped, it is killed with all its children. Exit status 0 goes on,
// NotNowStatus asks to be asked again at a later poll, and anything else, a
// program that cannot be started included, has failed. What that means is the
// hook's: see the constants. The first 2 KiB of what a program prints are shown
// to the owner, and go nowhere else.
//
// The agent journals where an update stands before a hook runs, so after a
// power cut a hook may run again for the same build: a hook must bear that.
package hooks

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
	"unicode"

	"github.com/candor-ota/candor/manifests"
)

// Kind is the moment at which a hook runs.
type Kind string

// The hooks, in the order in which an update meets them.
const (
	PreCheck    Kind = "pre-check"    // before each look for news; failing holds it
	PreInstall  Kind = "pre-install"  // before anything is fetched or the slot marked unbootable, also when a download goes on; failing holds the update
	PostInstall Kind = "post-install" // after the slot was read back; failing fails the installation
	PreReboot   Kind = "pre-reboot"   // before the agent restarts into the new build; failing holds the restart
	Health      Kind = "health"       // in the new build; failing, "not now" included, returns to the old one
	PostCommit  Kind = "post-commit"  // after the new build was marked good; failing is logged
)

// NotNowStatus is the exit status, EX_TEMPFAIL of sysexits.h, by which a program
// asks to be asked again later.
const NotNowStatus = 75

// maxWords bounds how much of a program's output is kept, in bytes.
const maxWords = 2 << 10

// Input is what a program reads on standard input.
type Input struct {
	Hook      Kind              `json:"hook"`
	Product   manifests.Product `json:"product"`
	Build     manifests.Build   `json:"build,omitempty"`     // that is installed; none yet before a look for news
	FromBuild manifests.Build   `json:"fromBuild,omitempty"` // that ran when the update began
	Slot      string            `json:"slot,omitempty"`      // that the build is installed into
	// Images are the paths of the slot's files or partitions, by name.
	Images map[manifests.Name]string `json:"images,omitempty"`
}

// Programs are those of one hook.
type Programs struct {
	Commands [][]string    // each a program and its arguments
	Timeout  time.Duration // of each
}

// NotNow is the word of a program that asks to be asked again later.
type NotNow struct {
	Program  string
	Sentence string // what it printed; may be empty
}

func (n *NotNow) Error() string {
	if n.Sentence == "" {
		return n.Program + " asks to wait"
	}
	return n.Program + " asks to wait: " + n.Sentence
}

// Run runs the programs in order and returns the first failure, in words: a
// *NotNow if the program said so, or the context's error if that ended.
func (p Programs) Run(ctx context.Context, in Input) error {
	if len(p.Commands) == 0 {
		return nil
	}
	input, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("hook %s: %w", in.Hook, err)
	}
	for _, c := range p.Commands {
		if err := run(ctx, c, p.Timeout, input); err != nil {
			return fmt.Errorf("hook %s: %w", in.Hook, err)
		}
	}
	return nil
}

func run(ctx context.Context, command []string, timeout time.Duration, input []byte) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, command[0], command[1:]...)
	words := &bounded{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), words, words
	// A program may have children; the whole group ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and left a child behind that holds its output
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%s: no answer within %s", command[0], timeout)
	case !errors.As(err, &exit):
		return fmt.Errorf("%s: %w", command[0], err)
	case exit.ExitCode() == NotNowStatus:
		return &NotNow{Program: command[0], Sentence: words.String()}
	}
	if said := words.String(); said != "" {
		return fmt.Errorf("%s: %w: %s", command[0], err, said)
	}
	return fmt.Errorf("%s: %w", command[0], err)
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ b bytes.Buffer }

func (w *bounded) Write(p []byte) (int, error) {
	if room := maxWords - w.b.Len(); room > 0 {
		w.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// String gives it as one line without control characters: it is shown on
// terminals.
func (w *bounded) String() string {
	printable := func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(printable, strings.ToValidUTF8(w.b.String(), " "))), " ")
}
