package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/candor-ota/candor/scripts/figure"
)

// fullImage gives the size of the new image as zstd -19 packs it, which all
// shares are of, and says who packed it.
func fullImage(ctx context.Context, p pair, dir string) (size int64, by string, err error) {
	out := filepath.Join(dir, "full.zst")
	if _, err := exec.LookPath("zstd"); err == nil {
		if err := tool(ctx, "zstd", "-19", "-q", "-f", p.next, "-o", out); err != nil {
			return 0, "", err
		}
		size, err := sizeOf(out)
		return size, "zstd -19", err
	}
	data, err := os.ReadFile(p.next)
	if err != nil {
		return 0, "", err
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return 0, "", err
	}
	return int64(len(w.EncodeAll(data, nil))), "this library's best level; zstd is not installed", w.Close()
}

// peers measures the other tools that are installed.
func peers(ctx context.Context, p pair, dir string, full int64) ([]figure.Row, error) {
	tools := []struct {
		name string
		run  func(context.Context, pair, string) ([]peerFigure, error)
	}{{"xdelta3", xdelta}, {"zstd", patchFrom}, {"casync", casync}}
	found := make([][]peerFigure, len(tools))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i, t := range tools {
		if _, err := exec.LookPath(t.name); err != nil {
			continue
		}
		group.Go(func() (err error) {
			found[i], err = t.run(inner, p, dir)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var rows []figure.Row
	for i, t := range tools {
		if found[i] == nil {
			rows = append(rows, figure.Of("peer "+t.name+": not installed", 0, ""))
		}
		for _, f := range found[i] {
			if f.requests > 0 {
				rows = append(rows, figure.Of("peer "+f.what+": requests", float64(f.requests), "requests"))
			}
			rows = append(rows, figure.Of("peer "+f.what, percent(f.bytes, full), "% of full"))
		}
	}
	return rows, nil
}

// peerFigure is what a handset would download with another tool.
type peerFigure struct {
	what     string
	bytes    int64
	requests int
}

func xdelta(ctx context.Context, p pair, dir string) ([]peerFigure, error) {
	out := filepath.Join(dir, "xdelta")
	if err := tool(ctx, "xdelta3", "-e", "-9", "-S", "none", "-B", "1073741824", "-f", "-s", p.old, p.next, out); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("zstd"); err != nil {
		size, err := sizeOf(out)
		return []peerFigure{{"xdelta3 -9", size, 0}}, err
	}
	if err := tool(ctx, "zstd", "-19", "-q", "-f", out, "-o", out+".zst"); err != nil {
		return nil, err
	}
	size, err := sizeOf(out + ".zst")
	return []peerFigure{{"xdelta3 -9, packed by zstd -19", size, 0}}, err
}

func patchFrom(ctx context.Context, p pair, dir string) ([]peerFigure, error) {
	out := filepath.Join(dir, "patch-from.zst")
	if err := tool(ctx, "zstd", "-19", "--long=30", "-q", "-f", "--patch-from="+p.old, p.next, "-o", out); err != nil {
		return nil, err
	}
	size, err := sizeOf(out)
	return []peerFigure{{"zstd -19 --patch-from", size, 0}}, err
}

// casync stores the chunks of the old image, then counts what the new one adds.
func casync(ctx context.Context, p pair, dir string) ([]peerFigure, error) {
	store, index := filepath.Join(dir, "store"), filepath.Join(dir, "image.caibx")
	var before, after treeSize
	for _, step := range []struct {
		image string
		size  *treeSize
	}{{p.old, &before}, {p.next, &after}} {
		if err := tool(ctx, "casync", "make", "--store="+store, index, step.image); err != nil {
			return nil, err
		}
		var err error
		if *step.size, err = measureTree(store); err != nil {
			return nil, err
		}
	}
	size, err := sizeOf(index)
	return []peerFigure{{"casync, index included", size + after.bytes - before.bytes, after.files - before.files}}, err
}

type treeSize struct {
	files int
	bytes int64
}

func measureTree(dir string) (s treeSize, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			s.files, s.bytes = s.files+1, s.bytes+info.Size()
		}
		return err
	})
	return s, err
}

func tool(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func percent(n, of int64) float64 { return 100 * float64(n) / float64(of) }
