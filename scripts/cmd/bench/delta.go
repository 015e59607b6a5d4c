package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	plans "github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/scripts/figure"
)

// delta measures what an update of a root filesystem costs a handset, and, on a
// pair that has little in common, that it never costs more than the full image.
func delta(ctx context.Context, dir string) ([]figure.Row, error) {
	p, err := updated(ctx, dir)
	if err != nil {
		return nil, err
	}
	rows, err := measurePair(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	if p, err = rebuilt(ctx, dir); err != nil {
		return nil, err
	}
	c, err := costOf(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	return append(rows,
		figure.Of("another pair: "+p.what+": full, index included", float64(c.full)/(1<<20), "MiB"),
		figure.AtMost("there: cheapest plan of full plus index", percent(c.cheapest(), c.full), "%", 100),
		figure.Of("there: patch of full plus index", percent(c.patch, c.full), "%"),
		figure.Of("there: chunks of full plus index", percent(c.chunks, c.full), "%")), nil
}

// deltaOf measures a pair of the caller's own.
func deltaOf(ctx context.Context, dir, old, next string) ([]figure.Row, error) {
	return measurePair(ctx, pair{what: filepath.Base(old) + " to " + filepath.Base(next), old: old, next: next}, dir)
}

func measurePair(ctx context.Context, p pair, dir string) ([]figure.Row, error) {
	c, err := costOf(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	full, by, err := fullImage(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	size, err := sizeOf(p.next)
	if err != nil {
		return nil, err
	}
	rows := []figure.Row{figure.Of(p.what+": new image", float64(size)/(1<<20), "MiB")}
	if p.files > 0 {
		rows = append(rows, figure.Of(fmt.Sprintf("files that changed, of %d that are updated", p.files), float64(p.changed), "files"))
	}
	rows = append(rows,
		figure.Of("full image by "+by, float64(full)/(1<<20), "MiB"),
		figure.AtMost("known pair: patch, table included", percent(c.patch, full), "% of full", 2.7),
		figure.AtMost("from any older image: chunks, index and gaps included", percent(c.chunks, full), "% of full", 12.5),
		figure.AtMost("from any older image: requests", float64(c.requests), "requests", 100),
		figure.Of("from nothing: pack, index included", percent(c.full, full), "% of full"),
		figure.AtMost("cheapest plan of pack plus index", percent(c.cheapest(), c.full), "%", 100),
		figure.Of("patch built in", c.made.Seconds, "s"),
		figure.AtMost("peak memory of building it", c.memory, "MiB", 512),
		figure.Of("patch applied, hashed, without disk", c.apply, "MiB/s"))
	others, err := peers(ctx, p, dir, full)
	return append(rows, others...), err
}

// cost is what the plans download, in bytes.
type cost struct {
	patch, chunks, full int64
	requests            int     // of chunks
	memory              float64 // MiB
	apply               float64 // MiB/s
	made                deltaMade
}

func (c cost) cheapest() int64 { return min(c.patch, c.chunks, c.full) }

// costOf builds everything for a pair, in a process of its own whose memory is
// measured, and applies the patch.
func costOf(ctx context.Context, p pair, dir string) (c cost, err error) {
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	out, err := os.MkdirTemp(dir, "blobs-")
	if err != nil {
		return c, err
	}
	var memory float64
	for _, step := range []string{deltaIndex, deltaPatch} {
		cmd := exec.CommandContext(ctx, self, deltaCommand, step, p.old, p.next, out)
		cmd.Stderr = os.Stderr
		said, err := cmd.Output()
		if err != nil {
			return c, fmt.Errorf("build: %w", err)
		}
		if err := json.Unmarshal(said, &c.made); err != nil {
			return c, fmt.Errorf("build: %w", err)
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			return c, errors.New("this system does not tell a process's memory")
		}
		memory = max(memory, float64(usage.Maxrss)/1024)
	}
	c.memory, c.full = memory, c.made.Image.Index.Size+c.made.Image.Pack.Size
	c.patch = c.made.PatchBytes
	if c.chunks, c.requests, err = chunksPlan(out, c.made); err != nil {
		return c, err
	}
	c.apply, err = applyPatch(p, out)
	return c, errors.Join(err, os.RemoveAll(out))
}

// chunksPlan is what a handset that has the old image downloads without a
// patch, merged into as many requests as it sends.
func chunksPlan(dir string, made deltaMade) (size int64, requests int, err error) {
	old, err := readIndex(dir, made.Old.Index)
	if err != nil {
		return 0, 0, err
	}
	next, err := readIndex(dir, made.Image.Index)
	if err != nil {
		return 0, 0, err
	}
	has := map[[image.SumBytes]byte]bool{}
	for _, r := range old.Rows {
		has[r.SHA256] = true
	}
	var spans []plans.Span
	for i, r := range next.Rows {
		if next.Unique(i) && !has[r.SHA256] {
			spans = append(spans, plans.Span{From: r.PackOffset, To: r.PackOffset + int64(r.PackedLength)})
		}
	}
	spans = plans.Coalesce(spans)
	size = made.Image.Index.Size
	for _, s := range spans {
		size += s.To - s.From
	}
	return size, len(spans) + 1, nil // one for the index
}

func readIndex(dir string, b manifests.Blob) (*image.Index, error) {
	data, err := os.ReadFile(filepath.Join(dir, layout.BlobFile(b.SHA256)))
	if err != nil {
		return nil, err
	}
	return image.Parse(data)
}

// applyPatch makes the new image from the old one in memory, and says how fast.
func applyPatch(p pair, dir string) (rate float64, err error) {
	file, err := os.ReadFile(filepath.Join(dir, tableFile))
	if err != nil {
		return 0, err
	}
	body, err := os.ReadFile(filepath.Join(dir, bodyFile))
	if err != nil {
		return 0, err
	}
	table, err := patch.Parse(file)
	if err != nil {
		return 0, err
	}
	old, err := os.Open(p.old)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = patch.Apply(io.Discard, table, old, bytes.NewReader(body))
	return float64(table.Size) / (1 << 20) / time.Since(began).Seconds(), errors.Join(err, old.Close())
}
