package powertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// outside is what a power cut does not undo.
type outside struct {
	chapter int
	arms    count // acknowledged by the boot loader
	trials  count // boots in which a build had to prove itself
	spoilt  bool  // the medium has changed a byte
	noted   notes // acknowledged by the owner's receipt

	votes         map[ballot]string // to the letter, as the service has them
	contradiction string            // in what the service was sent
}

// count is how often something happened to builds.
type count map[manifests.Build]int

func (c *count) add(b manifests.Build) {
	if *c == nil {
		*c = count{}
	}
	(*c)[b]++
}

// notes are entries of a receipt, by what they are about.
type notes map[note]bool

type note struct {
	kind  receipts.Kind
	build manifests.Build
}

func (o outside) clone() outside {
	o.arms, o.trials, o.noted = maps.Clone(o.arms), maps.Clone(o.trials), maps.Clone(o.noted)
	o.votes = maps.Clone(o.votes)
	return o
}

// digest tells the pasts of equal disks apart.
func (o outside) digest() string {
	return fmt.Sprint(o.chapter, o.arms, o.trials, o.spoilt, o.noted, len(o.votes))
}

// handset is one handset in a story, from a power-on to the next cut.
type handset struct {
	*story
	disk    *disktest.Disk
	outside outside
	history []outside // by marks of the disk

	slots  agent.Storage
	loader *sim.Sim
	agent  *agent.Agent
	log    *clerk
	said   error // by a poll that met a fault
}

// ctx never ends.
func (h *handset) ctx() context.Context { return context.Background() }

func newHandset(s *story, d *disktest.Disk, o outside) *handset {
	if s.deaf != nil {
		d.Ignore(s.deaf)
	}
	return &handset{story: s, disk: d, outside: o.clone(), history: []outside{o.clone()}}
}

// happened changes what is outside, at this place of the record.
func (h *handset) happened(change func(o *outside)) {
	change(&h.outside)
	h.history = append(h.history, h.outside.clone())
	h.disk.Mark(len(h.history) - 1)
}

func (h *handset) chapter() *chapter { return &h.chapters[h.outside.chapter] }

// powerOn is the boot loader and the start of the agent.
func (h *handset) powerOn() error {
	if err := h.checkMedium(); err != nil {
		return err
	}
	var err error
	if h.loader, err = sim.OpenOn(h.through(), "slots"); err != nil {
		return broken("the boot loader cannot read its environment: %v", err)
	}
	if err := h.countTrial(); err != nil {
		return err
	}
	if _, err = h.loader.Boot(); err != nil {
		return broken("no slot boots: %v", err)
	}
	return h.start()
}

// countTrial comes before the boot, as the loader counts a try before it uses it.
func (h *handset) countTrial() error {
	for _, slot := range []boot.Slot{"a", "b"} {
		state, err := h.loader.State(slot)
		if err != nil || !state.Armed() {
			continue
		}
		m, err := h.loader.Metadata(slot)
		if err != nil {
			return err
		}
		h.happened(func(o *outside) { o.trials.add(m.Build) })
	}
	return nil
}

// through is the disk as the agent sees it.
func (h *handset) through() disk.Disk {
	var d disk.Disk = h.disk
	if h.story.disk != nil {
		d = h.story.disk(h, h.disk)
	}
	if h.spoilt {
		return &moth{d, h}
	}
	return d
}

// moth is a disk of which a byte changes behind everybody's back.
type moth struct {
	disk.Disk
	h *handset
}

func (m *moth) Open(path string, mode disk.Mode) (disk.File, error) {
	if mode == disk.Medium && !m.h.outside.spoilt {
		if err := m.h.disk.Spoil(path, 1000); err != nil {
			return nil, err
		}
		m.h.happened(func(o *outside) { o.spoilt = true })
	}
	return m.Disk.Open(path, mode)
}

// start is the start of the agent's process.
func (h *handset) start() error {
	d := h.through()
	h.slots = &witness{h.loader, h}
	if h.story.slots != nil {
		h.slots = h.story.slots(h, h.loader)
	}
	h.log = &clerk{receipts.Open(d, "state/receipts.log", h.Now), h}
	out, err := h.outbox(d, h.log)
	if err != nil {
		return broken("the outbox does not open: %v", err)
	}
	config := &agent.Config{Product: phone, Model: "m1", Channel: "stable", State: "state", MinBattery: 30, AbortBattery: 15}
	config.Report.AttemptWait = manifests.Duration{Duration: time.Hour}
	if h.sick {
		config.Health, config.HealthTimeout = [][]string{{"false"}}, manifests.Duration{Duration: time.Minute}
	}
	h.agent = &agent.Agent{
		Config: config, Trust: h.chapter(), Blobs: made().blobs, Slots: h.slots, Device: h, Reports: out,
		Log: slog.New(slog.DiscardHandler), Disk: d, Receipts: h.log, Segment: segmentBytes,
	}
	if err := h.agent.Start(); err != nil {
		return broken("the agent does not start: %v", err)
	}
	return nil
}

// Now is the clock, which stands still. With the two below it makes the handset
// the agent's Device.
func (h *handset) Now() (time.Time, bool)         { return began, true }
func (h *handset) Uptime() (time.Duration, error) { return time.Minute, nil }
func (h *handset) Conditions() (rollout.Conditions, error) {
	return rollout.Conditions{BatteryPercent: 100, MinBattery: 30, FreeBytes: 1 << 30, LocalMinute: h.chapter().minute}, nil
}

// poll is one poll with the restarts that follow.
func (h *handset) poll() (agent.Status, error) {
	for range 8 {
		s, err := h.agent.Step(h.ctx())
		if h.spoilt && errors.Is(err, install.ErrSlot) {
			return s, nil // it says so, and writes the slot again
		}
		if err != nil {
			return s, broken("the poll ends with an error: %v", err)
		}
		if !h.agent.RestartWanted() {
			return s, nil
		}
		if err := h.powerOn(); err != nil {
			return s, err
		}
	}
	return agent.Status{}, broken("the handset restarts for ever")
}

// polls is how many polls a handset has to come to the end of a chapter.
const polls = 2

// finish comes to the end of the chapter.
func (h *handset) finish() error {
	var s agent.Status
	var err error
	for range polls {
		if s, err = h.poll(); err != nil {
			return err
		}
		if h.atEnd(s) {
			return h.checkEnd()
		}
	}
	m, good, err := h.running()
	return broken("after %d polls build %d runs (good: %v), and the status is %+v (%v)", polls, m.Build, good, s, err)
}

func (h *handset) atEnd(s agent.Status) bool {
	m, good, err := h.running()
	if err != nil || !good {
		return false
	}
	// The loader gives a build three boots to prove itself. Who cuts the power
	// in each of them sends the handset back, which is an end too.
	if h.outside.trials[s.Build] >= tries && s.Code == rollout.BadTarget {
		return s.State == agent.Idle && m.Build < s.Build
	}
	return slices.ContainsFunc(h.chapter().ends, func(e end) bool {
		return e.runs == m.Build && e.state == s.State && (e.code == "" || e.code == s.Code)
	})
}

// tries are those that the agent gives a new build.
const tries = 3

// running is the build that runs, and whether it is marked good.
func (h *handset) running() (boot.Metadata, bool, error) {
	print := h.disk.Fingerprint("slots")
	if r, ok := runs.Load(print); ok {
		return r.(run).Metadata, r.(run).good, nil
	}
	slot, err := h.loader.Booted()
	if err != nil {
		return boot.Metadata{}, false, err
	}
	state, err := h.loader.State(slot)
	if err != nil {
		return boot.Metadata{}, false, err
	}
	m, err := h.loader.Metadata(slot)
	if err == nil {
		runs.Store(print, run{m, state.Good})
	}
	return m, state.Good, err
}

// run is what runs, once for each content of the slots.
type run struct {
	boot.Metadata
	good bool
}

var runs sync.Map // of a fingerprint

// tell goes through the chapters from the next one on.
func (h *handset) tell() error {
	for n := h.outside.chapter + 1; n < len(h.chapters); n++ {
		h.happened(func(o *outside) { o.chapter = n })
		h.agent.Trust = h.chapter()
		if h.chapter().starts {
			if err := h.start(); err != nil {
				return err
			}
		}
		if err := h.finish(); err != nil {
			return fmt.Errorf("chapter %d: %w", n, err)
		}
	}
	return nil
}

// live is the life of a handset after a cut: it is switched on, and comes to the
// end of its chapter, or if further says so of its story.
func (h *handset) live(further bool) error {
	if err := h.powerOn(); err != nil {
		return err
	}
	if err := h.finish(); err != nil || !further {
		return err
	}
	return h.tell()
}

// witness notes what the boot loader was told and acknowledged.
type witness struct {
	*sim.Sim
	h *handset
}

// read asks the loader once for each content of its files, as it is asked very
// often.
func read[T any](w *witness, what string, slot boot.Slot, ask func() (T, error)) (T, error) {
	if w.h.deaf != nil || w.h.story.disk != nil || w.h.story.slots != nil {
		return ask()
	}
	type question struct {
		content uint64
		what    string
		slot    boot.Slot
	}
	q := question{w.h.disk.Fingerprint("slots"), what, slot}
	if known, ok := answers.Load(q); ok {
		return known.(T), nil
	}
	v, err := ask()
	if err == nil {
		answers.Store(q, v)
	}
	return v, err
}

var answers sync.Map

// Booted, State and Metadata are those of the loader.
func (w *witness) Booted() (boot.Slot, error) { return read(w, "booted", "", w.Sim.Booted) }

func (w *witness) State(slot boot.Slot) (boot.State, error) {
	return read(w, "state", slot, func() (boot.State, error) { return w.Sim.State(slot) })
}

func (w *witness) Metadata(slot boot.Slot) (boot.Metadata, error) {
	return read(w, "metadata", slot, func() (boot.Metadata, error) { return w.Sim.Metadata(slot) })
}

func (w *witness) Arm(slot boot.Slot, tries int) error {
	if err := w.Sim.Arm(slot, tries); err != nil {
		return err
	}
	m, err := w.Metadata(slot)
	w.h.happened(func(o *outside) { o.arms.add(m.Build) })
	return err
}

// clerk notes what the receipt has acknowledged.
type clerk struct {
	*receipts.Log
	h *handset
}

func (c *clerk) Append(e receipts.Entry) error { return c.took(e, c.Log.Append(e)) }

func (c *clerk) AppendOnce(e receipts.Entry) error { return c.took(e, c.Log.AppendOnce(e)) }

func (c *clerk) took(e receipts.Entry, err error) error {
	if n := (note{e.Kind, e.Build}); err == nil && !c.h.outside.noted[n] {
		c.h.happened(func(o *outside) {
			if o.noted == nil {
				o.noted = notes{}
			}
			o.noted[n] = true
		})
	}
	return err
}

// errBroken marks a promise that does not hold.
var errBroken = errors.New("broken")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errBroken, fmt.Errorf(format, args...))
}
