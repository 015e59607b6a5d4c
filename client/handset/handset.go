package handset

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/device"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/client/watch"
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
	device agent.Device
	agent  *agent.Agent
	trust  *trust.Client

	receipts *receipts.Log
	down     bool // the system goes down to restart
	desk     *desk
	next     time.Time // of the look for news, while an agent runs
	chosen   *chosen   // what the owner asked a running agent to install; nil: nothing
	waker    *waker
}

// Open opens the handset that Create made.
func Open(c *agent.Config, log *slog.Logger) (*Handset, error) {
	h := &Handset{Config: c, log: log, desk: newDesk(), device: openDevice(c), waker: &waker{alarm: watch.Alarm{Random: rand.Int64N}, random: rand.Int64N}}
	var err error
	if h.store, err = trust.OpenStore(filepath.Join(c.State, "trust")); err != nil {
		return nil, err
	}
	if err := h.open(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// openDevice is the hardware, or the file that stands in for it.
func openDevice(c *agent.Config) agent.Device {
	if c.Device != "" || c.Boot.Simulated() {
		return &device.File{Path: c.Device, MinBattery: c.MinBattery, State: c.State}
	}
	return &device.Board{Metered: c.Metered, MinBattery: c.MinBattery, State: c.State}
}

func (h *Handset) open() error {
	c := h.Config
	var err error
	if h.slots, err = openLoader(c); err != nil {
		return err
	}
	seed, err := agent.MirrorSeed(disk.OS{}, c.State)
	if err != nil {
		return err
	}
	if h.fetch, err = fetch.New(fetch.Options{Bases: c.Servers, Mirrors: c.Mirrors, PollMirrors: c.PollMirrors, Seed: seed}); err != nil {
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

// Built is when this program was made: no clock is earlier.
func Built() (time.Time, error) {
	moment, err := time.Parse(time.RFC3339, built)
	if err != nil {
		return moment, fmt.Errorf("build time: %w", err)
	}
	return moment, nil
}

// start starts the agent, as power-on does.
func (h *Handset) start() error {
	moment, err := Built()
	if err != nil {
		return err
	}
	h.trust = &trust.Client{Store: h.store, Fetch: h.fetch, Product: h.Config.Product, Clock: h.device.Now, Built: moment}
	h.agent = &agent.Agent{
		Config: h.Config, Blobs: h.fetch, Slots: h.slots, Device: h.device, Reports: h.outbox, Log: h.log, Receipts: h.receipts,
		Trust: h.trust, Interrupt: h.desk.wake, Observe: h.observe,
	}
	if err := h.agent.Start(); err != nil {
		return err
	}
	h.refresh()
	return nil
}

// Close gives the directories free for other processes.
func (h *Handset) Close() error { return h.store.Close() }
