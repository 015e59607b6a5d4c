package storybook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Web is the folder of the dashboard's sources, below the module's.
const Web = "server/dashboard/web"

// Story is a page in one state.
type Story struct {
	Page string `json:"page"`
	Name string `json:"name"`
	// Path is the address that the page believes to stand at; Address is where
	// the storybook shows it.
	Path    string `json:"path"`
	Address string `json:"address"`
}

// Dashboard is the folder of the dashboard's sources, with its tools installed.
type Dashboard struct{ dir string }

// Open installs the packages of the dashboard's sources, if they are not there.
// Root is the module's directory.
func Open(ctx context.Context, root string) (*Dashboard, error) {
	dir, err := filepath.Abs(filepath.Join(root, Web))
	if err != nil {
		return nil, fmt.Errorf("the dashboard's sources: %w", err)
	}
	d := &Dashboard{dir}
	if err := d.install(ctx); err != nil {
		return nil, fmt.Errorf("install the dashboard's packages: %w", err)
	}
	return d, nil
}

// install runs npm ci unless what is installed is what the lock file says.
// Tests of several packages may come at once: one installs, the others wait.
func (d *Dashboard) install(ctx context.Context) (err error) {
	lock := filepath.Join(d.dir, "package-lock.json")
	f, err := os.Open(lock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("wait for %s: %w", lock, err)
	}
	want, err := os.ReadFile(lock)
	if err != nil {
		return err
	}
	mark := filepath.Join(d.dir, "node_modules", "installed-lock.json")
	have, err := os.ReadFile(mark)
	if err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.Run(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"); err != nil {
		return err
	}
	return os.WriteFile(mark, want, 0o644)
}

// Run runs a program in the folder, and gives what it said if it fails.
func (d *Dashboard) Run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// Show is Run with the output on the caller's own.
func (d *Dashboard) Show(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = d.dir, os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}

// Build writes the dashboard as the server embeds it; out is relative to the
// sources, or absolute.
func (d *Dashboard) Build(ctx context.Context, out string) error {
	return d.Run(ctx, "npx", "vite", "build", "--logLevel", "warn", "--outDir", out, "--emptyOutDir")
}

// Stories lists all stories, by page.
func (d *Dashboard) Stories(ctx context.Context) (list []Story, err error) {
	dir, err := os.MkdirTemp("", "candor-stories")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := d.Run(ctx, "npx", "vite", "build", "--logLevel", "warn", "--ssr", "src/stories/list.ts", "--outDir", dir); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "node", filepath.Join(dir, "list.js")).Output()
	if err != nil {
		return nil, fmt.Errorf("list the stories: %w", err)
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("list the stories: %w", err)
	}
	return list, nil
}

// Storybook writes the storybook into a directory, for Handler.
func (d *Dashboard) Storybook(ctx context.Context, dir string) error {
	return d.Run(ctx, "npx", "vite", "build", "--logLevel", "warn", "--mode", "stories", "--outDir", dir, "--emptyOutDir")
}
