package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

// applied is a handset that installs by one plan.
type applied struct {
	kind    string
	factory string  // image that it runs
	full    float64 // bytes that the full image costs
	rows    []figure.Row
}

// kills are the parts of the download after which a process is killed.
var kills = []float64{0.1, 0.3, 0.5, 0.7, 0.9}

func apply(ctx context.Context, dir string) (rows []figure.Row, err error) {
	before, after, err := applyPair(ctx, dir)
	if err != nil {
		return nil, err
	}
	strange, older := filepath.Join(dir, "strange.img"), filepath.Join(dir, "older.img")
	if err := errors.Join(writeImage(strange, 1), touched(before, older)); err != nil {
		return nil, err
	}
	w, err := published(ctx, dir, after, before)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	t, err := newToll(w.Server)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	for _, a := range []applied{{kind: "patch", factory: before}, {kind: "chunks", factory: older}, {kind: "full", factory: strange}} {
		if err := a.measure(ctx, w, t); err != nil {
			return nil, fmt.Errorf("%s: %w", a.kind, err)
		}
		rows = append(rows, a.rows...)
	}
	return rows, nil
}

// touched copies an image and changes a byte of it: another build, from which no
// patch was made.
func touched(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	return os.WriteFile(to, data, 0o600)
}

func (a *applied) measure(ctx context.Context, w *world.World, t *toll) error {
	a.row(figure.Of("image", applyMiB, "MiB"))
	if err := a.speed(ctx, w); err != nil {
		return err
	}
	bytes, err := a.price(ctx, w, t)
	if err != nil {
		return err
	}
	return a.killed(ctx, w, t, bytes)
}

func (a *applied) row(r figure.Row) {
	r.Measure = a.kind + ": " + r.Measure
	a.rows = append(a.rows, r)
}

func (a *applied) phone(ctx context.Context, w *world.World, name, server string) (*world.Phone, error) {
	p, err := w.NewPhone(ctx, world.Factory{
		Dir: a.kind + "-" + name, Product: phoneProduct, Server: server, Image: a.factory, Build: 41, Epoch: 6, Version: "old", Label: widerLabel,
	})
	if err != nil {
		return nil, err
	}
	return p, p.Accept(ctx, 42)
}

// speed runs the client program by itself, against the server itself.
func (a *applied) speed(ctx context.Context, w *world.World) error {
	p, err := a.phone(ctx, w, "speed", "")
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd := client(ctx, w, p)
	cmd.Stderr = &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	peak := peakMemory(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	took, memory := time.Since(began).Seconds(), peak()
	wrote, err := a.log(stderr.Bytes())
	if err != nil {
		return err
	}
	if err := runs42(ctx, p); err != nil {
		return err
	}
	a.row(figure.AtLeast("applied, synced", applyMiB/wrote, "MiB/s", 150))
	a.row(figure.Of("the same from poll to healthy, planned and read back", applyMiB/took, "MiB/s"))
	a.row(figure.AtMost("peak memory of the client", memory, "MiB", 32))
	return os.RemoveAll(p.Dir)
}

func client(ctx context.Context, w *world.World, p *world.Phone) *exec.Cmd {
	return exec.CommandContext(ctx, w.Path("bin", "candor-client"), "once", "--verbose", "--config", filepath.Join(p.Dir, "client.yaml"))
}

func runs42(ctx context.Context, p *world.Phone) error {
	status, err := p.Once(ctx)
	if err == nil && status.Build != 42 {
		err = fmt.Errorf("the handset runs build %d: %s", status.Build, status.Status.Sentence)
	}
	return err
}

// log reads in the client's log how long it took from the plan to the last sync,
// in seconds.
func (a *applied) log(log []byte) (float64, error) {
	var planned, synced time.Time
	for lines := bufio.NewScanner(bytes.NewReader(log)); lines.Scan(); {
		stamp, rest, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "time="), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		switch {
		case err != nil:
		case strings.Contains(rest, "msg=planned"):
			planned = at
			_, full, _ := strings.Cut(rest, "full=")
			if a.full, err = strconv.ParseFloat(full, 64); err != nil {
				return 0, err
			}
		case strings.Contains(rest, "msg=installing"):
			synced = at
		}
	}
	if planned.IsZero() || !synced.After(planned) {
		return 0, fmt.Errorf("the client's log does not tell of an installation: %s", log)
	}
	return synced.Sub(planned).Seconds(), nil
}

// peakMemory watches a process until it ends; the function tells the most that
// it took, in MiB.
func peakMemory(pid int) func() float64 {
	var peak float64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, rest, ok := strings.Cut(string(status), "VmHWM:")
			if err != nil || !ok {
				return
			}
			if kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64); err == nil {
				peak = max(peak, kib/1024)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() float64 { wg.Wait(); return peak }
}

// price counts what crosses to a handset that nothing disturbs.
func (a *applied) price(ctx context.Context, w *world.World, t *toll) (int64, error) {
	p, err := a.phone(ctx, w, "price", t.address)
	if err != nil {
		return 0, err
	}
	t.fresh()
	if err := runs42(ctx, p); err != nil {
		return 0, err
	}
	part := 100 * float64(t.bytes) / a.full
	a.row(figure.Of("downloaded", float64(t.bytes)/(1<<20), "MiB"))
	a.row(figure.Of("of what the full image costs", part, "%")) // the delta bench has targets
	a.row(figure.AtMost("requests for blobs", float64(t.requests), "requests", 100))
	return t.bytes, os.RemoveAll(p.Dir)
}

// killed kills the process again and again; what the next one downloads although
// it had crossed before is what that cost.
func (a *applied) killed(ctx context.Context, w *world.World, t *toll, bytes int64) error {
	p, err := a.phone(ctx, w, "killed", t.address)
	if err != nil {
		return err
	}
	t.fresh()
	worst, before := int64(0), int64(0)
	for _, part := range kills {
		ended, err := kill(client(ctx, w, p), t.after(int64(part*float64(bytes))))
		if err != nil {
			return err
		}
		now := t.again()
		worst, before = max(worst, now-before), now
		if ended {
			break // the later plans were cheaper than the first
		}
	}
	if err := runs42(ctx, p); err != nil {
		return err
	}
	worst = max(worst, t.again()-before)
	a.row(figure.AtMost(fmt.Sprintf("downloaded twice after kill -9, worst of %d", len(kills)), float64(worst)/1024, "KiB", 1024))
	return os.RemoveAll(p.Dir)
}

// kill starts a process and kills it at a moment, unless it ends before.
func kill(cmd *exec.Cmd, moment <-chan struct{}) (ended bool, err error) {
	if err := cmd.Start(); err != nil {
		return false, err
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	select {
	case err := <-end:
		return true, err
	case <-moment:
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, err
	}
	if err := <-end; err == nil {
		return true, nil // it was faster
	}
	return false, nil
}
