package handset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/trust"
)

// built is the earliest that any clock may say: this program did not exist
// before. Release builds set it with -ldflags.
var built = "2026-11-01T00:00:00Z"

// maxRestarts bounds the restarts that follow from one poll: the tries of the
// new slot and the return to the old one.
const maxRestarts = 8

// Handset is an open handset. Not for concurrent use; a second process on the
// same directories is refused.
type Handset struct {
	Config *agent.Config

	log    *slog.Logger
	store  *trust.Store
	slots  loader
	outbox *outbox.Outbox
	fetch  *fetch.Client
	device *agent.DeviceFile
	agent  *agent.Agent
	trust  *trust.Client

	receipts *receipts.Log
	down     bool // the system goes down to restart
}

// Open opens the handset that Create made.
func Open(c *agent.Config, log *slog.Logger) (*Handset, error) {
	h := &Handset{Config: c, log: log, device: &agent.DeviceFile{Path: c.Device, MinBattery: c.MinBattery, State: c.State}}
	var err error
	if h.store, err = trust.OpenStore(filepath.Join(c.State, "trust")); err != nil {
		return nil, err
	}
	if err := h.open(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Handset) open() error {
	c := h.Config
	var err error
	if h.slots, err = openLoader(c); err != nil {
		return err
	}
	if h.fetch, err = fetch.New(fetch.Options{Bases: c.Servers}); err != nil {
		return err
	}
	h.receipts = receipts.Open(disk.OS{}, receiptsPath(c), h.device.Now)
	if h.outbox, err = outbox.Open(outbox.Options{
		Dir: filepath.Join(c.State, "outbox"), Servers: c.Servers, Now: h.now, Receipts: h.receipts,
	}); err != nil {
		return err
	}
	return h.start()
}

func (h *Handset) now() time.Time {
	now, _ := h.device.Now()
	return now
}

// start starts the agent, as power-on does.
func (h *Handset) start() error {
	moment, err := time.Parse(time.RFC3339, built)
	if err != nil {
		return fmt.Errorf("build time: %w", err)
	}
	h.trust = &trust.Client{Store: h.store, Fetch: h.fetch, Product: h.Config.Product, Clock: h.device.Now, Built: moment}
	h.agent = &agent.Agent{
		Config: h.Config, Blobs: h.fetch, Slots: h.slots, Device: h.device, Reports: h.outbox, Log: h.log, Receipts: h.receipts,
		Trust: h.trust,
	}
	return h.agent.Start()
}

// Close gives the directories free for other processes.
func (h *Handset) Close() error { return h.store.Close() }

// Once polls and does all that follows, restarts included. On a board it ends
// with the restart; what follows is done after power-on.
func (h *Handset) Once(ctx context.Context) (agent.Status, error) {
	return h.follow(ctx, func() (agent.Status, error) { return h.agent.Step(ctx) })
}

// follow does a step, and all that follows from it.
func (h *Handset) follow(ctx context.Context, step func() (agent.Status, error)) (agent.Status, error) {
	for range maxRestarts {
		status, err := step()
		if err != nil || !h.agent.RestartWanted() {
			return status, err
		}
		back, err := h.slots.restart(ctx, h.log)
		if err != nil || !back {
			h.down = err == nil
			return status, err
		}
		if err := h.start(); err != nil {
			return status, err
		}
	}
	return agent.Status{}, fmt.Errorf("the handset restarted %d times after one poll", maxRestarts)
}

// Run polls for ever, and tells said the outcome of each poll. Errors are told
// too: the next poll tries again. It ends, with nil, when the system goes down to
// restart.
func (h *Handset) Run(ctx context.Context, said func(agent.Status, error)) error {
	for {
		status, err := h.Once(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		said(status, err)
		if h.down {
			return nil
		}
		timer := time.NewTimer(h.wait())
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// wait is the time to the next poll, to the next report that is due, to the next
// try of what failed, or into the window for which a restart waits: into its
// first half, at random, so that not all handsets restart at its first minute. A
// server that asked to be left alone is.
func (h *Handset) wait() time.Duration {
	d := h.Config.Poll.Next(rand.Int64N)
	if in, length := h.agent.WindowOpens(); length > 0 {
		d = min(d, in+rand.N(length/2+1))
	}
	if in, waits := h.agent.AttemptWaitEnds(); waits {
		d = min(d, max(in, time.Second))
	}
	if next := h.outbox.Next(); !next.IsZero() {
		d = min(d, max(next.Sub(h.now()), time.Second))
	}
	if next, failed := h.agent.NextTry(); failed {
		if !next.At.IsZero() {
			d = min(d, max(next.At.Sub(h.wall()), time.Second))
		}
		if !next.Busy.IsZero() {
			d = max(d, next.Busy.Sub(h.wall()))
		}
	}
	return d
}

// wall is the handset's clock, or the machine's where that was never set.
func (h *Handset) wall() time.Time {
	if now, set := h.device.Now(); set {
		return now
	}
	return time.Now()
}
