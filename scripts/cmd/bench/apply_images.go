package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const applyMiB = 384

// applyPair makes two ext4 images of real files, as an update meets them: in the
// second one some programs and sources differ in a few places, some are longer,
// and some are new.
func applyPair(ctx context.Context, dir string) (before, after string, err error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", "", fmt.Errorf("go env GOROOT: %w", err)
	}
	goroot, tree := strings.TrimSpace(string(out)), filepath.Join(dir, "tree")
	for _, part := range []string{"bin", "pkg", "src"} {
		if err := os.CopyFS(filepath.Join(tree, part), os.DirFS(filepath.Join(goroot, part))); err != nil {
			return "", "", err
		}
	}
	if before, err = ext4(ctx, dir, tree, "before.img"); err != nil {
		return "", "", err
	}
	if err := update(tree); err != nil {
		return "", "", err
	}
	if after, err = ext4(ctx, dir, tree, "after.img"); err != nil {
		return "", "", err
	}
	return before, after, os.RemoveAll(tree)
}

// update changes one file in seventy, as a security update does.
func update(tree string) error {
	n := 0
	return filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if n++; n%70 != 0 {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for at := 5000; at+8 < len(data); at += 60_000 {
			copy(data[at:], "patched!")
		}
		if n%140 == 0 {
			data = append(data, bytes.Repeat([]byte("// one more line\n"), 40)...)
		}
		if n%700 == 0 {
			err = os.WriteFile(path+".new", data, 0o600)
		}
		return errors.Join(err, os.Chmod(path, 0o600), os.WriteFile(path, data, 0o600))
	})
}

func ext4(ctx context.Context, dir, tree, name string) (string, error) {
	const id = "2014a0a0-0000-4000-8000-000000000042"
	image := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", tree, "-m", "0", "-U", id,
		"-E", "hash_seed="+id+",lazy_itable_init=0", image, fmt.Sprintf("%dM", applyMiB))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("image %s: mke2fs: %w: %s", name, err, out)
	}
	return image, nil
}
