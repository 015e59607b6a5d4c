package world_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/world"
)

// labShown is what `candor-client lab show --json` says.
type labShown struct {
	On        bool             `json:"lab"`
	Hash      manifests.SHA256 `json:"hash"`
	Reporting bool             `json:"reporting"`
	DeviceKey string           `json:"deviceKey"`
	Waiting   int              `json:"waiting"`
	Refused   []string         `json:"refused"`
	Sent      []struct {
		Class   string `json:"class"`
		ByName  bool   `json:"byName"`
		Counted bool   `json:"counted"`
	} `json:"sent"`
}

func lab(t *testing.T, p *world.Phone, verb string) labShown {
	t.Helper()
	out, err := p.Exec(ctx, "lab", verb, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var l labShown
	if err := json.Unmarshal(out, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// startLab makes a world whose engine looks at once, with a batch of lab
// handsets.
func startLab(t *testing.T) *world.World {
	t.Helper()
	w := start(t)
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.Configure("rollouts: {lookEvery: 1s}\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Exec(ctx, "server", "batch", "new", "bench", "--lab", "--data", w.Path("data")); err != nil {
		t.Fatal(err)
	}
	if err := w.StartServer(ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

// labPhone is a handset with the credential of a batch, in lab mode, whose owner
// agreed to no votes. On it every new build fails.
func labPhone(t *testing.T, w *world.World, server, batch string) (*world.Phone, labShown) {
	t.Helper()
	made++
	p, err := w.NewPhone(ctx, world.Factory{
		Dir: fmt.Sprintf("phone-%d", made), Product: product, Server: server, Image: image(t, "factory.img", 64<<10),
		Build: 41, Epoch: 6, Version: "factory", Label: before, Health: []string{"false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Exec(ctx, "server", "batch", "issue", batch, "--data", w.Path("data"), "-o", filepath.Join(p.Dir, "credential.pem")); err != nil {
		t.Fatal(err)
	}
	return accepted(t, p, 42), lab(t, p, "on")
}

func propose(t *testing.T, w *world.World, channel manifests.Name, hashes []manifests.SHA256, share manifests.SharePPM) world.Rollout {
	t.Helper()
	r, err := w.Open(ctx, &rollout.Plan{
		Product: product, Build: 42, Channel: channel, Audience: rollout.Audience{Lab: hashes}, Kind: manifests.KindNormal,
		Deferral: manifests.Duration{Duration: manifests.MaxDuration / 10},
		Stages:   []rollout.Stage{{Share: share, Soak: manifests.Duration{Duration: time.Hour}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// halted waits until the engine has halted a rollout by itself.
func halted(t *testing.T, w *world.World, id string) world.Rollout {
	t.Helper()
	tick, deadline := time.NewTicker(100*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for {
		r, err := w.Look(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if r.State == "halted" {
			return r
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the engine halts nothing: %+v", r)
		}
	}
}

// One handset in lab mode, named by a rollout and ahead of the signed pace,
// fails. It says so by name, and the engine halts every rollout of that build
// before anybody else has it.
func TestLabHandsetVetoesABuildForEverybody(t *testing.T) {
	w := startLab(t)
	release(t, w, 42, "pace:\n  - {after: 0s, maxSharePPM: 10}\n  - {after: 30d, maxSharePPM: 1000000}\nlabAhead: true\n")
	l, address := newWire(t, w)
	p, on := labPhone(t, w, address, "bench")
	if !on.On || !on.Reporting || on.DeviceKey == "" {
		t.Fatalf("%+v", on)
	}
	stranger, other := labPhone(t, w, "", "bench")
	owner := accepted(t, phone(t, w, "", true), 42)
	if other.Hash == on.Hash {
		t.Fatal("two handsets have one lab id")
	}
	named := propose(t, w, "lab", []manifests.SHA256{on.Hash}, 10)
	wide := propose(t, w, "stable", nil, 10)

	if s := once(t, stranger); s.Build != 41 || s.Downloaded != 0 {
		t.Fatalf("a lab handset that no rollout names: %+v", s)
	}
	if s := once(t, p); s.Build != 41 || s.Downloaded == 0 || s.Waiting {
		t.Fatalf("the trial did not fail, or its report waits: %+v", s)
	}
	for _, r := range []world.Rollout{halted(t, w, named.ID), halted(t, w, wide.ID)} {
		if !strings.Contains(r.Reason, on.DeviceKey[:12]) || !strings.Contains(r.Reason, "health_check") {
			t.Errorf("rollout %s is halted for %q", r.ID, r.Reason)
		}
	}
	for _, p := range []*world.Phone{stranger, owner, accepted(t, phone(t, w, "", false), 42)} {
		if s := once(t, p); s.Build != 41 || s.Downloaded != 0 || s.Status.Code != "halted" {
			t.Errorf("after the veto: %+v", s)
		}
	}
	if r := labReports(t, w); len(r) != 1 || r[0] != (labReport{on.DeviceKey, "bench", true}) {
		t.Errorf("operators see %+v, the owner %s", r, on.DeviceKey)
	}
	if l := lab(t, p, "show"); len(l.Sent) != 1 || !l.Sent[0].ByName || !l.Sent[0].Counted || l.Sent[0].Class != "trial" || l.Waiting != 0 || len(l.Refused) != 0 {
		t.Errorf("the owner is shown %+v", l)
	}
	if c, err := w.Counts(ctx, product, 42); err != nil || c.Attempts+c.Trials+c.Refusals+c.Refused != 0 {
		t.Errorf("a lab handset voted too: %+v, %v", c, err)
	}
	leaves(t, p, l)
}

// labReport is what operators see of a report by name.
type labReport struct {
	DeviceKey string `json:"deviceKey"`
	Batch     string `json:"batch"`
	Failed    bool   `json:"failed"`
}

func labReports(t *testing.T, w *world.World) []labReport {
	t.Helper()
	var list struct {
		Reports []labReport `json:"reports"`
	}
	if err := w.Call(ctx, http.MethodGet, "/v1/products/phone/releases/42/lab-reports", nil, &list); err != nil {
		t.Fatal(err)
	}
	return list.Reports
}

// leaves takes a handset out of the lab, and demands that it never sent its lab
// id or its hash, nor asked for a token.
func leaves(t *testing.T, p *world.Phone, l *wire) {
	t.Helper()
	on := lab(t, p, "show")
	if off := lab(t, p, "off"); off.On || off.Reporting {
		t.Errorf("after `lab off`: %+v", off)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := string(l.sent)
	for _, never := range []string{on.Hash.String(), "/v1/tokens", "/v1/votes"} {
		if strings.Contains(sent, never) {
			t.Errorf("%s left the handset", never)
		}
	}
	for _, once := range []string{"POST /v1/enrolments HTTP", "POST /v1/lab-reports HTTP", "POST /v1/enrolments/withdraw HTTP"} {
		if strings.Count(sent, once) != 1 {
			t.Errorf("%s: %d times", once, strings.Count(sent, once))
		}
	}
}

// What a handset of another batch says by name is refused for good, and stops
// nothing.
func TestNameWithoutALabBatchVetoesNothing(t *testing.T) {
	w := startLab(t)
	release(t, w, 42, atOnce)
	p, on := labPhone(t, w, "", "world")
	named := propose(t, w, "lab", []manifests.SHA256{on.Hash}, manifests.WholeFleet)
	if s := once(t, p); s.Build != 41 || s.Downloaded == 0 {
		t.Fatalf("the trial did not fail: %+v", s)
	}
	if l := lab(t, p, "show"); len(l.Refused) != 1 || !strings.Contains(l.Refused[0], "forbidden") || l.Waiting != 0 {
		t.Fatalf("the owner is shown %+v", l)
	}
	if n := len(labReports(t, w)); n != 0 {
		t.Fatalf("operators see %d reports", n)
	}
	if r, err := w.Look(ctx, named.ID); err != nil || r.State == "halted" {
		t.Fatalf("%+v, %v", r, err)
	}
}
