package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What the pair is made of. A root filesystem holds two Go installations, one
// of which gets a patch release: of about 480 MB in 23,000 files, a few dozen
// files change, among them every program of that installation.
const (
	goBefore  = "1.26.7"
	goAfter   = "1.26.8"
	goStays   = "1.25.8"
	rootMiB   = 520
	toolsMiB  = 128
	imageTime = 1_760_000_000 // of every file, so that only contents differ
	imageUUID = "6d1f5a3e-2a0b-4c57-9b35-0a6a1f3f9c10"
)

// pair is an old and a new image, and what is known of them.
type pair struct {
	what, old, next string
	files, changed  int
}

// updated builds the pair of a security update.
func updated(ctx context.Context, dir string) (pair, error) {
	p := pair{
		what: fmt.Sprintf("go%s to go%s beside go%s, %d MiB ext4", goBefore, goAfter, goStays, rootMiB),
		old:  filepath.Join(dir, "old.img"), next: filepath.Join(dir, "new.img"),
	}
	for image, version := range map[string]string{p.old: goBefore, p.next: goAfter} {
		if err := makeImage(ctx, image, rootMiB, map[string]string{"usr/lib/go-1.26": version, "usr/lib/go-1.25": goStays}, "."); err != nil {
			return p, err
		}
	}
	var err error
	p.files, p.changed, err = difference(ctx, goBefore, goAfter)
	return p, err
}

// rebuilt builds a pair without one program in common: those of two Go
// releases, made by two compilers.
func rebuilt(ctx context.Context, dir string) (pair, error) {
	p := pair{
		what: fmt.Sprintf("the programs of go%s and of go%s, %d MiB ext4", goStays, goAfter, toolsMiB),
		old:  filepath.Join(dir, "tools-old.img"), next: filepath.Join(dir, "tools-new.img"),
	}
	for image, version := range map[string]string{p.old: goStays, p.next: goAfter} {
		if err := makeImage(ctx, image, toolsMiB, map[string]string{"usr/lib/go": version}, "bin", "pkg/tool"); err != nil {
			return p, err
		}
	}
	return p, nil
}

// toolchain gives the directory of a Go release, from the module cache.
func toolchain(ctx context.Context, version string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "golang.org/toolchain@v0.0.1-go"+version+".linux-amd64")
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.Output()
	var got struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &got); jerr != nil || got.Dir == "" {
		return "", fmt.Errorf("go%s as a module: %w %s", version, errors.Join(err, jerr), got.Error)
	}
	return got.Dir, nil
}

// makeImage makes an ext4 image with parts of Go releases in directories. The
// same releases give the same bytes.
func makeImage(ctx context.Context, image string, mib int, trees map[string]string, parts ...string) (err error) {
	root, err := os.MkdirTemp(filepath.Dir(image), "root-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	for name, version := range trees {
		from, err := toolchain(ctx, version)
		if err != nil {
			return err
		}
		for _, part := range parts {
			if err := copyTree(filepath.Join(root, name, part), filepath.Join(from, part)); err != nil {
				return err
			}
		}
	}
	names, err := settleTimes(root)
	if err != nil {
		return err
	}
	for _, command := range []string{"mke2fs", "debugfs"} {
		if _, err := system(command); err != nil {
			return fmt.Errorf("%w; install the package e2fsprogs, or give two images: scripts/bench delta OLD NEW", err)
		}
	}
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, int64(mib)<<20)); err != nil {
		return err
	}
	if err := e2fs(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-I", "256", "-N", "32768", "-L", "root", "-U", imageUUID,
		"-E", "hash_seed="+imageUUID+",root_owner=0:0,lazy_itable_init=0", "-O", "^has_journal,^metadata_csum", "-d", root, image); err != nil {
		return err
	}
	return sameInodes(ctx, image, root, names)
}

// copyTree copies a tree of files that may be read only.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
}

// settleTimes gives every file one time, and the names of all, in order.
func settleTimes(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, "/"+strings.TrimPrefix(strings.TrimPrefix(path, root), "/"))
		return err
	})
	for _, name := range slices.Backward(names) { // a directory after what is in it
		if err == nil {
			err = os.Chtimes(filepath.Join(root, name), time.Unix(imageTime, 0), time.Unix(imageTime, 0))
		}
	}
	return names, err
}

// sameInodes sets the times of inodes that mke2fs takes from the copy.
func sameInodes(ctx context.Context, image, root string, names []string) error {
	var script strings.Builder
	for _, name := range names {
		for _, field := range []string{"atime", "ctime", "crtime"} {
			fmt.Fprintf(&script, "set_inode_field %q %s @%d\n", name, field, imageTime)
		}
		fmt.Fprintf(&script, "set_inode_field %q ctime_extra 0\nset_inode_field %q atime_extra 0\n", name, name)
	}
	file := root + ".debugfs"
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		return err
	}
	return errors.Join(e2fs(ctx, "debugfs", "-w", "-f", file, image), os.Remove(file))
}

func e2fs(ctx context.Context, name string, args ...string) error {
	path, err := system(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("E2FSPROGS_FAKE_TIME=%d", imageTime))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// system finds a program that may stand where only root looks.
func system(name string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// difference counts the files of a release, and those that another one has
// with other contents or not at all.
func difference(ctx context.Context, before, after string) (files, changed int, err error) {
	from, err := toolchain(ctx, before)
	if err != nil {
		return 0, 0, err
	}
	to, err := toolchain(ctx, after)
	if err != nil {
		return 0, 0, err
	}
	err = filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		name, err := filepath.Rel(to, path)
		if err != nil {
			return err
		}
		a, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			changed++
			return nil
		}
		b, berr := os.ReadFile(path)
		if string(a) != string(b) {
			changed++
		}
		return errors.Join(err, berr)
	})
	return files, changed, err
}
