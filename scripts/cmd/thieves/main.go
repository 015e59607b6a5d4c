package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/candor-ota/candor/scripts/world"
)

func main() {
	long := flag.Bool("long", false, "take each named check away, in turn; the table must turn red")
	only := flag.String("only", "", "with --long: only checks whose name holds this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, *long, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "thieves:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, long bool, only string) error {
	root, err := world.Root()
	if err != nil {
		return err
	}
	if !long {
		out, err := table(ctx, root, "", "-write")
		if err != nil {
			return fmt.Errorf("%w:\n%s", err, out)
		}
		return nil
	}
	var failures error
	for _, c := range checks {
		if !strings.Contains(c.name, only) {
			continue
		}
		if err := c.missed(ctx, root); err != nil {
			failures = errors.Join(failures, err)
			fmt.Println("GREEN", c.name)
			continue
		}
		fmt.Println("red  ", c.name)
	}
	return failures
}

// missed takes a check away and wants the table to say WORSE.
func (c check) missed(ctx context.Context, root string) (err error) {
	dir, err := os.MkdirTemp("", "candor-thieves-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	overlay, err := c.overlay(root, dir)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	out, err := table(ctx, root, overlay, "-goals", c.goals)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return fmt.Errorf("%s: without it the table stays green", c.name)
	case !bytes.Contains(out, []byte("WORSE: ")):
		return fmt.Errorf("%s: the test fails without saying what got worse:\n%s", c.name, out)
	}
	return nil
}

// overlay writes the changed files and the list that the compiler reads.
func (c check) overlay(root, dir string) (string, error) {
	replace := map[string]string{}
	for i, e := range c.edits {
		path := filepath.Join(root, filepath.FromSlash(e.file))
		from := path
		if changed, ok := replace[path]; ok {
			from = changed
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			return "", fmt.Errorf("%s holds %q %d times; write this check down as it reads now", e.file, e.old, n)
		}
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(path)))
		if err := os.WriteFile(replace[path], []byte(strings.Replace(string(text), e.old, e.without, 1)), 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}

func table(ctx context.Context, root, overlay string, args ...string) ([]byte, error) {
	command := []string{"test", "-count=1", "-timeout=600s"}
	if overlay != "" {
		command = append(command, "-overlay="+overlay)
	}
	command = append(append(command, "./scripts/world", "-run=TestThiefTable", "-args"), args...)
	cmd := exec.CommandContext(ctx, "go", command...)
	cmd.Dir = root
	return cmd.CombinedOutput()
}
