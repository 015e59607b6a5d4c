package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

const (
	rounds   = 20 // short turns, so that what else runs hits all alike
	perRound = 350 * time.Millisecond
	pollPath = "/" + layout.TimestampFile
)

// The fleets that a poll must not be able to tell apart.
var (
	littleFleet = amount{handsets: 1_000, rollouts: 1}
	manyStages  = amount{handsets: 1_000, rollouts: 1_000}
	largeFleet  = amount{handsets: 10_000_000, rollouts: 1}
)

// fleets are the servers that are compared. nginx is nil where it is missing.
type fleets struct{ candor, bare, nginx, little, stages, large *process }

func (p *fleets) end() error {
	var errs []error
	for _, one := range []*process{p.bare, p.nginx, p.little, p.stages, p.large} {
		if one != nil {
			errs = append(errs, one.end())
		}
	}
	return errors.Join(errs...)
}

func poll(ctx context.Context, dir string) (rows []figure.Row, err error) {
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		return nil, err
	}
	w, err := published(ctx, dir, image)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var timestamp []byte
	if err := w.Call(ctx, http.MethodGet, pollPath, nil, &timestamp); err != nil {
		return nil, err
	}
	p := &fleets{}
	defer func() { err = errors.Join(err, p.end()) }()
	if err := p.start(ctx, w, timestamp); err != nil {
		return nil, err
	}
	for _, status := range []int{http.StatusOK, http.StatusNotModified} {
		more, err := p.measure(ctx, status)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	more, err := p.idle(ctx)
	if err != nil {
		return nil, err
	}
	rows = append(rows, more...)
	return append(rows, figure.AtMost("timestamp.json", float64(len(timestamp)), "bytes", 1024)), nil
}

func (p *fleets) start(ctx context.Context, w *world.World, timestamp []byte) error {
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		return err
	}
	for _, fleet := range []struct {
		name string
		amount
		into **process
	}{{"little", littleFleet, &p.little}, {"stages", manyStages, &p.stages}, {"large", largeFleet, &p.large}} {
		data, err := copyOf(ctx, w, fleet.name, fleet.amount)
		if err != nil {
			return err
		}
		if *fleet.into, err = startServer(w, data); err != nil {
			return err
		}
	}
	if err := w.StartServer(ctx); err != nil {
		return err
	}
	p.candor = ofWorld(w)
	file := w.Path("timestamp.json")
	if err := os.WriteFile(file, timestamp, 0o644); err != nil {
		return err
	}
	var err error
	if p.bare, err = startSelf(bareCommand, file); err != nil {
		return err
	}
	p.nginx, err = startNginx(w.Dir, w.Dir, nginxTLS{})
	return err
}

func (p *fleets) measure(ctx context.Context, status int) ([]figure.Row, error) {
	to := func(name string, p *process, path string, handsets int) *target {
		return &target{name: name, pid: p.pid(), address: p.address, path: path, want: status, handsets: uint64(handsets)}
	}
	candor, bare := to("candor-server", p.candor, pollPath, 0), to("bare net/http handler", p.bare, pollPath, 0)
	little := to("1 rollout, 1,000 handsets", p.little, pollPath, littleFleet.handsets)
	stages := to("1,000 rollouts, 1,000 handsets", p.stages, pollPath, manyStages.handsets)
	large := to("1 rollout, 10,000,000 handsets", p.large, pollPath, largeFleet.handsets)
	all := []*target{candor, bare, little, stages, large}
	if p.nginx != nil {
		all = append(all, to("nginx, static file", p.nginx, "/timestamp.json", 0))
	}
	for _, t := range all {
		if status == http.StatusNotModified {
			var err error
			if t.etag, err = t.tag(); err != nil {
				return nil, err
			}
		}
	}
	if err := inTurns(ctx, rounds, perRound, all...); err != nil {
		return nil, err
	}
	name := func(what string) string { return fmt.Sprintf("%d: %s", status, what) }
	rows := []figure.Row{figure.AtLeast(name(candor.name), candor.perCPUSecond(), "req/CPU-s", 70_000)}
	for _, t := range all[1:] {
		rows = append(rows, figure.Of(name(t.name), t.perCPUSecond(), "req/CPU-s"))
	}
	return append(rows,
		figure.AtLeast(name("candor-server against the bare handler"), candor.against(bare), "ratio", 0.95),
		figure.Near(name("1,000 rollouts against 1"), stages.against(little), "ratio", 1, 0.05),
		figure.Near(name("10,000,000 handsets against 1,000"), large.against(little), "ratio", 1, 0.05),
	), nil
}
