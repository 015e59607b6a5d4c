package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Sizes of the demo's images: real files fill most of a real filesystem.
const (
	contentBytes = 44 << 20
	imageMiB     = 56
)

// osTree describes one build of the demo's OS.
type osTree struct {
	version   string
	messaging string   // /etc/messaging.conf
	hardware  []string // revisions that it has drivers for
}

const (
	messagingBefore = "upload = always\nsealed = no\nstored = yes\n"
	messagingAfter  = "upload = opt-in\nsealed = yes\nstored = no\n"
)

// makeImage builds an ext4 image from the tree without being root.
func makeImage(ctx context.Context, dir string, tree osTree) (string, error) {
	root := filepath.Join(dir, tree.version)
	files := map[string]string{
		"etc/os-release":            "NAME=CandorDemo\nVERSION=" + tree.version + "\n",
		"etc/messaging.conf":        tree.messaging,
		"lib/firmware/hardware.txt": strings.Join(tree.hardware, "\n") + "\n",
	}
	for name, text := range files {
		if err := writeFile(filepath.Join(root, name), text); err != nil {
			return "", err
		}
	}
	if err := fill(filepath.Join(root, "usr/src")); err != nil {
		return "", fmt.Errorf("image %s: %w", tree.version, err)
	}
	image := filepath.Join(dir, tree.version+".img")
	cmd := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", root, "-m", "0", "-U", "2014a0a0-0000-4000-8000-000000000042",
		"-E", "hash_seed=2014a0a0-0000-4000-8000-000000000042,lazy_itable_init=0", image, fmt.Sprintf("%dM", imageMiB))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("image %s: mke2fs: %w: %s", tree.version, err, out)
	}
	return image, os.RemoveAll(root)
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

var errFull = errors.New("enough")

// fill copies parts of the Go tree, which every machine with Go has, up to
// contentBytes.
func fill(to string) error {
	from := filepath.Join(goRoot(), "src")
	left := int64(contentBytes)
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		n, err := copyFile(path, filepath.Join(to, rel))
		if left -= n; err == nil && left <= 0 {
			return errFull
		}
		return err
	})
	switch {
	case errors.Is(err, errFull):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s holds less than %d MiB of files", from, contentBytes>>20)
}

func goRoot() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "" // the walk then says what is missing
	}
	return strings.TrimSpace(string(out))
}

func copyFile(from, to string) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, err
	}
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, errors.Join(err, in.Close())
	}
	n, err := io.Copy(out, in)
	return n, errors.Join(err, out.Close(), in.Close())
}

// readFromImage gives one file of an ext4 image, as the handset would see it
// mounted.
func readFromImage(ctx context.Context, image, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "debugfs", "-R", "cat "+name, image).Output()
	if err != nil {
		return "", fmt.Errorf("%s in %s: debugfs: %w", name, image, err)
	}
	return string(out), nil
}
