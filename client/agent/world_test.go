package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

const phone = manifests.Product("phone")

var began = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// The images are made once; nothing writes to them.
var (
	small = sync.OnceValue(func() *imagetest.Built { return imagetest.Build("system", imagetest.Text(300<<10, 1)) })
	large = sync.OnceValue(func() *imagetest.Built { return imagetest.Build("system", imagetest.Text(36<<20, 2)) }) // three segments
)

// published is the tree as the maker sets it; it is the agent's Trust.
type published struct {
	view trust.View
	err  error
}

func (p *published) Poll(context.Context) (*trust.View, error) {
	v := p.view
	return &v, p.err
}

// offer signs a release of an image and opens it to the whole fleet.
func (p *published) offer(build manifests.Build, b *imagetest.Built) (*manifests.Release, *rollout.Rollout) {
	ref := rollout.Reference{Path: layout.ReleasePath(phone, build), Length: 100, SHA256: manifests.SumSHA256([]byte(build.String()))}
	m := imagetest.Release(phone, build, began.Add(-time.Hour), b.Image)
	m.SecurityEpoch, m.OfferUntil = 2, manifests.At(began.AddDate(0, 3, 0))
	p.view.Releases[build] = rollout.Signed{Reference: ref, Release: m}
	p.view.Document.Rollouts = append([]rollout.Rollout{{
		ID: manifests.Name(fmt.Sprint("r", build)), Release: ref, Build: build, Channel: "stable",
		State: rollout.Active, Share: manifests.WholeFleet, Kind: manifests.KindNormal,
	}}, p.view.Document.Rollouts...)
	return m, &p.view.Document.Rollouts[0]
}

// cdn serves blobs and remembers what was asked of it.
type cdn struct {
	noRange bool // answers with the whole file, whatever part was asked for
	files   map[string][]byte
	mu      sync.Mutex
	asked   []string
}

func (c *cdn) OpenRange(_ context.Context, r fetch.Range) (io.ReadCloser, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, fmt.Sprintf("%s from %d", r.Path, r.From))
	data, ok := c.files[r.Path]
	if !ok || int64(len(data)) != r.Size {
		return nil, fmt.Errorf("%s: %w", r.Path, fetch.ErrNotFound)
	}
	if c.noRange && r.From > 0 {
		return nil, fetch.ErrRangeIgnored
	}
	return io.NopCloser(bytes.NewReader(data[r.From:cmp.Or(r.To, r.Size)])), nil
}

// device is hardware whose every sense the test sets.
type device struct {
	now  time.Time // zero: the clock was never set
	up   time.Duration
	that rollout.Conditions
}

func (d *device) Now() (time.Time, bool)                  { return d.now, !d.now.IsZero() }
func (d *device) Uptime() (time.Duration, error)          { return d.up, nil }
func (d *device) Conditions() (rollout.Conditions, error) { return d.that, nil }

// reports remembers what it was asked to send.
type reports struct {
	on, acknowledged bool
	said             []string
	votes            []vote.Vote
	before           func(class vote.Class)
	byName           bool
	spare            []vote.Ref
}

func (r *reports) Enabled() bool { return r.on }
func (r *reports) Prepare(context.Context, vote.Ref, manifests.VoteRules, time.Duration) error {
	r.said = append(r.said, "prepare")
	return nil
}

func (r *reports) UseSpare(ref vote.Ref, rules manifests.VoteRules, _ time.Duration) error {
	r.spare = append(r.spare, ref)
	if rules.Spare == nil {
		return errors.New("without the release's spare keys")
	}
	return nil
}

func (r *reports) Report(ref vote.Ref, class vote.Class, v vote.Vote, _ time.Duration) error {
	if r.before != nil {
		r.before(class)
	}
	r.said, r.votes = append(r.said, fmt.Sprintf("%s of %d: %s %s", class, ref.Build, v.Outcome, v.Reason)), append(r.votes, v)
	return v.Validate(class)
}
func (r *reports) Send(context.Context) error             { return nil }
func (r *reports) Acknowledged(vote.Ref, vote.Class) bool { return r.acknowledged }
func (r *reports) ByName(on bool) error                   { r.byName = on; return nil }

// world is one handset that runs build 41 of epoch 1, and all around it.
type world struct {
	*testing.T
	tree    *published
	cdn     *cdn
	device  *device
	reports *reports
	slots   *hardware
	disk    disk.Disk
	config  *Config
	agent   *Agent
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	factory := filepath.Join(dir, "factory.img")
	if err := os.WriteFile(factory, []byte("factory"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := sim.Create(filepath.Join(dir, "slots"), map[manifests.Name]string{"system": factory}, boot.Metadata{
		Product: phone, Build: 41, SecurityEpoch: 1, Version: "factory",
		Label: manifests.PrivacyLabel{Collects: []manifests.Collection{{
			Data: "phone-numbers", Purpose: manifests.Text{"en": "friends"}, Default: manifests.On, Stored: manifests.StoredRetained,
		}}},
	}); err != nil {
		t.Fatal(err)
	}
	s, err := sim.Open(filepath.Join(dir, "slots"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		T: t, cdn: &cdn{files: map[string][]byte{}}, reports: &reports{}, slots: &hardware{Sim: s}, disk: disk.OS{},
		device: &device{now: began, up: time.Minute, that: rollout.Conditions{BatteryPercent: 100, MinBattery: 30, FreeBytes: 1 << 30}},
		tree: &published{view: trust.View{
			Document: &rollout.Document{Product: phone, Counter: 1}, Releases: map[manifests.Build]rollout.Signed{}, Expiry: began, Pace: began,
		}},
		config: &Config{Product: phone, Model: "m1", State: filepath.Join(dir, "state"), Health: [][]string{{"true"}}},
	}
	w.config.fill()
	w.start()
	return w
}

// offer publishes a build with the small image.
func (w *world) offer(build manifests.Build) (*manifests.Release, *rollout.Rollout) {
	return w.publish(build, small())
}

func (w *world) publish(build manifests.Build, b *imagetest.Built) (*manifests.Release, *rollout.Rollout) {
	for path, data := range b.Files {
		w.cdn.files[path] = data
	}
	return w.tree.offer(build, b)
}

// start starts the agent anew: nothing but files is carried over.
func (w *world) start() {
	w.Helper()
	if err := w.tryStart(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) tryStart() error {
	w.agent = &Agent{
		Config: w.config, Trust: w.tree, Blobs: w.cdn, Slots: w.slots, Device: w.device, Reports: w.reports,
		Log: slog.New(slog.DiscardHandler), Disk: w.disk,
		Receipts: receipts.Open(w.disk, w.receiptsPath(), w.device.Now),
	}
	return w.agent.Start()
}

// reboot turns the handset off and on.
func (w *world) reboot() boot.Slot {
	w.Helper()
	slot, err := w.slots.Boot()
	if err != nil {
		w.Fatal(err)
	}
	w.device.up = 0
	w.start()
	return slot
}

// step is one poll without the restart that may follow.
func (w *world) step() Status {
	w.Helper()
	s, err := w.agent.Step(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// once is one poll with the restarts that follow.
func (w *world) once() Status {
	w.Helper()
	for range 8 {
		s := w.step()
		if !w.agent.RestartWanted() {
			return s
		}
		w.reboot()
	}
	w.Fatal("the handset restarts for ever")
	return Status{}
}

func (w *world) state(slot boot.Slot) boot.State {
	w.Helper()
	s, err := w.slots.State(slot)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// runs demands that a build runs and is marked good.
func (w *world) runs(want manifests.Build) {
	w.Helper()
	slot, err := w.slots.Booted()
	if err != nil {
		w.Fatal(err)
	}
	m, err := w.slots.Metadata(slot)
	if err != nil {
		w.Fatal(err)
	}
	if m.Build != want || !w.state(slot).Good {
		w.Fatalf("build %d runs from slot %s (%+v), want the good build %d; status %+v", m.Build, slot, w.state(slot), want, w.agent.Status())
	}
}

func (w *world) code(s Status, want rollout.Code) {
	w.Helper()
	if s.Code != want || (want != "" && s.Sentence == "") {
		w.Fatalf("status %+v, want code %q with a sentence", s, want)
	}
}

// hardware is a simulated boot loader with hooks.
type hardware struct {
	*sim.Sim
	verb  func(name string) // before each verb that changes something
	write func() error      // before each write to a slot
	sync  func()            // after each sync of one
}

func (h *hardware) before(name string) {
	if h.verb != nil {
		h.verb(name)
	}
}

func (h *hardware) MarkUnbootable(s boot.Slot) error {
	h.before("unbootable")
	return h.Sim.MarkUnbootable(s)
}

func (h *hardware) Arm(s boot.Slot, tries int) error {
	h.before("arm")
	return h.Sim.Arm(s, tries)
}

func (h *hardware) Disarm(s boot.Slot) error {
	h.before("disarm")
	return h.Sim.Disarm(s)
}

func (h *hardware) MarkGood(s boot.Slot) error {
	h.before("good")
	return h.Sim.MarkGood(s)
}

func (h *hardware) SetMetadata(s boot.Slot, m boot.Metadata) error {
	h.before("metadata")
	return h.Sim.SetMetadata(s, m)
}

func (h *hardware) OpenForWrite(s boot.Slot, image manifests.Name, size int64) (disk.File, error) {
	h.before("open")
	f, err := h.Sim.OpenForWrite(s, image, size)
	if err != nil {
		return nil, err
	}
	return &slotFile{f, h}, nil
}

type slotFile struct {
	disk.File
	h *hardware
}

func (f *slotFile) WriteAt(b []byte, at int64) (int, error) {
	if f.h.write != nil {
		if err := f.h.write(); err != nil {
			return 0, err
		}
	}
	return f.File.WriteAt(b, at)
}

func (f *slotFile) Sync() error {
	if err := f.File.Sync(); err != nil {
		return err
	}
	if f.h.sync != nil {
		f.h.sync()
	}
	return nil
}
