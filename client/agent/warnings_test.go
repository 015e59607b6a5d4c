package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// AMENDMENTS A1, A2: a fork stays for ever, a broken promise until it is kept.
func TestForksAndBrokenPromisesAreShown(t *testing.T) {
	w := newWorld(t)
	w.step()
	if got := w.agent.Warnings(); len(got) != 0 {
		t.Fatalf("warned of nothing: %q", got)
	}
	w.tree.view.Forked = true
	promised := manifests.At(w.tree.view.Expiry.Add(-time.Hour))
	w.tree.view.NextBy = &promised
	w.step()
	got := strings.Join(w.agent.Warnings(), "\n")
	if !strings.Contains(got, "different handsets different things") || !strings.Contains(got, "promised news by "+promised.String()) {
		t.Fatalf("warned %q", got)
	}
	w.tree.view.Forked, w.tree.view.NextBy = false, nil
	w.start()
	w.step()
	if got := w.agent.Warnings(); len(got) != 1 || !strings.Contains(got[0], "different handsets") {
		t.Fatalf("the fork is forgotten, or the kept promise is not: %q", got)
	}
}

// AMENDMENTS A2: a server that says nothing at all breaks the promise too.
func TestPromiseIsMissedWhileNoPollSucceeds(t *testing.T) {
	w := newWorld(t)
	promised := manifests.At(w.device.now.Add(time.Hour))
	w.tree.view.NextBy = &promised
	w.step()
	w.tree.err = errors.New("no route")
	silent := func() []string {
		if _, err := w.agent.Step(t.Context()); !errors.Is(err, w.tree.err) {
			t.Fatalf("%v", err)
		}
		return w.agent.Warnings()
	}
	if got := silent(); len(got) != 0 {
		t.Fatalf("warned early: %q", got)
	}
	w.device.now = w.device.now.Add(2 * time.Hour)
	for range 2 {
		if got := silent(); len(got) != 1 || !strings.Contains(got[0], "promised news by "+promised.String()) {
			t.Fatalf("warned %q", got)
		}
	}
}

// breakSlot makes the boot loader give a good slot up.
func (w *world) breakSlot(slot string) {
	w.Helper()
	env := filepath.Join(filepath.Dir(w.config.State), "slots", "boot.json")
	data, err := os.ReadFile(env)
	if err != nil {
		w.Fatal(err)
	}
	broken := strings.Replace(string(data), `"`+slot+`":{"bootable":true,"good":true,"tries":0}`, `"`+slot+`":{"bootable":false,"good":false,"tries":0}`, 1)
	if broken == string(data) {
		w.Fatalf("boot.json has another form: %s", data)
	}
	if err := os.WriteFile(env, []byte(broken), 0o600); err != nil {
		w.Fatal(err)
	}
}

// AMENDMENTS M4: a build that proved itself and then no longer boots is told of.
func TestFallBackFromAGoodBuildIsARegression(t *testing.T) {
	w := newWorld(t)
	w.reports.on, w.reports.acknowledged = true, true
	w.offer(42)
	w.once()
	w.runs(42)
	w.breakSlot("b")
	if slot := w.reboot(); slot != "a" {
		t.Fatalf("booted %s", slot)
	}
	w.step()
	w.reboot() // told once
	if n := w.reports.count("regression of 42"); n != 1 {
		t.Fatalf("%d regressions in %q", n, w.reports.said)
	}
	if w.agent.mem.Good != 41 {
		t.Fatalf("good build is %d", w.agent.mem.Good)
	}
}
