package world_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/boot/sim"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// streets is the network of all stories: one address for each handset, so that
// whoever holds the CDN can tell them apart.
type streets struct {
	url string
	mu  sync.Mutex
	to  map[string]http.Handler
}

func newStreets(t testing.TB) *streets {
	s := &streets{to: map[string]http.Handler{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *streets) add(name string, h http.Handler) (address string, gone func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to[name] = h
	return s.url + "/" + name, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.to, name)
	}
}

func (s *streets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	h := s.to[name]
	s.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	r.URL.Path = "/" + path
	h.ServeHTTP(w, r)
}

// files serves a published tree to one handset.
func files(w http.ResponseWriter, r *http.Request, find func(path string) ([]byte, bool)) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	data, ok := find(path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", layout.ETag(data))
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, path, time.Time{}, bytes.NewReader(data))
}

// senses are the handset's hardware; the clock may be a thief's.
type senses struct {
	now  time.Time     // as the handset reads it
	real time.Duration // on since the last restart
}

func (d *senses) Now() (time.Time, bool)         { return d.now, !d.now.IsZero() }
func (d *senses) Uptime() (time.Duration, error) { return d.real, nil }
func (d *senses) Conditions() (rollout.Conditions, error) {
	return rollout.Conditions{BatteryPercent: 100, MinBattery: 30, FreeBytes: 1 << 30, LocalMinute: rollout.ClockTime(d.now.Hour()*60 + d.now.Minute())}, nil
}

// handset is the real client in this process, with simulated slots.
type handset struct {
	t      testing.TB
	dir    string
	config *agent.Config
	slots  *sim.Sim
	store  *trust.Store
	fetch  *fetch.Client
	outbox *outbox.Outbox
	senses *senses
	agent  *agent.Agent
}

// person says which handset.
type person struct {
	server     string
	build      manifests.Build // that runs
	region     manifests.Name
	from, to   manifests.SharePPM // its place in the order of build
	order      manifests.Build
	credential []byte // reports are on
}

func newHandset(t testing.TB, m *maker, now time.Time, p person) *handset {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "candor-handset-")
	if err != nil {
		t.Fatal(err)
	}
	h := &handset{dir: dir, t: t, senses: &senses{now: now, real: time.Minute}, config: &agent.Config{
		Product: product, Model: "m1", Region: p.region, Channel: "stable", Servers: []string{p.server}, State: filepath.Join(dir, "state"), MinBattery: 30, AbortBattery: 15,
	}}
	t.Cleanup(func() { h.must(os.RemoveAll(dir)) }) // also when a story ends early
	factory := filepath.Join(dir, "factory.img")
	h.must(os.WriteFile(factory, []byte("factory"), 0o400))
	h.must(os.MkdirAll(h.config.State, 0o700))
	h.must(trust.Init(filepath.Join(h.config.State, "trust"), m.files[layout.MetadataFile("root", 1)]))
	h.must(sim.Create(filepath.Join(dir, "slots"), map[manifests.Name]string{"system": factory}, boot.Metadata{
		Product: product, Build: p.build, SecurityEpoch: manifests.SecurityEpoch(p.build - 40), Version: "factory",
		Label: manifests.PrivacyLabel{Collects: []manifests.Collection{}},
	}))
	secret := secretBetween(p.order, p.from, p.to)
	h.must(os.WriteFile(filepath.Join(h.config.State, "secret"), secret[:], 0o600))
	h.store, err = trust.OpenStore(filepath.Join(h.config.State, "trust"))
	h.must(err)
	h.slots, err = sim.Open(filepath.Join(dir, "slots"))
	h.must(err)
	h.fetch, err = fetch.New(fetch.Options{Bases: []string{p.server}, Retries: -1})
	h.must(err)
	clock := func() time.Time { return h.senses.now }
	h.outbox, err = outbox.Open(outbox.Options{
		Dir: filepath.Join(h.config.State, "outbox"), Servers: []string{p.server}, Now: clock, Delay: func(time.Duration) time.Duration { return 0 },
	})
	h.must(err)
	if p.credential != nil {
		h.must(h.outbox.OptIn(p.credential))
	}
	h.start()
	return h
}

func (h *handset) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// secretBetween gives the first secret whose holder stands within a range of a
// build's order.
func secretBetween(b manifests.Build, from, to manifests.SharePPM) (s rollout.Secret) {
	if to == 0 {
		to = manifests.WholeFleet
	}
	for i := range uint64(1 << 20) {
		binary.BigEndian.PutUint64(s[:], i)
		if p := rollout.Position(s, product, b); p >= from && p < to {
			return s
		}
	}
	panic("no such place")
}

func (h *handset) start() {
	h.t.Helper()
	h.agent = &agent.Agent{
		Config: h.config, Blobs: h.fetch, Slots: h.slots, Device: h.senses, Reports: h.outbox, Log: slog.New(slog.DiscardHandler),
		Receipts: receipts.Open(disk.OS{}, filepath.Join(h.config.State, "receipts.log"), h.senses.Now),
		Trust:    &trust.Client{Store: h.store, Fetch: h.fetch, Product: product, Clock: h.senses.Now, Built: dawn.AddDate(0, -1, 0)},
	}
	h.must(h.agent.Start())
}

// poll polls once and does all that follows, restarts included. That a poll
// fails is part of the story.
func (h *handset) poll() agent.Status {
	h.t.Helper()
	for range 8 {
		s, err := h.agent.Step(h.t.Context())
		if err != nil || !h.agent.RestartWanted() {
			return s
		}
		_, err = h.slots.Boot()
		h.must(err)
		h.senses.real = 0
		h.start()
	}
	h.t.Fatal("the handset restarts for ever")
	return agent.Status{}
}

// runs gives the build that runs and is marked good.
func (h *handset) runs() boot.Metadata {
	h.t.Helper()
	slot, err := h.slots.Booted()
	h.must(err)
	m, err := h.slots.Metadata(slot)
	h.must(err)
	return m
}

func (h *handset) close() {
	h.fetch.Close()
	h.must(h.store.Close())
	h.must(os.RemoveAll(h.dir))
}

// memory is a directory that keeps nothing over a power cut, where there is one:
// no story here cuts the power, and there are thousands.
func memory() string {
	const dir = "/dev/shm"
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	return ""
}
