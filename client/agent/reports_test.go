package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

func TestNothingIsReportedUnlessTheOwnerTurnedItOn(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.once()
	w.runs(42)
	w.offer(43)
	w.config.Health = [][]string{{"false"}}
	w.once()
	if err := w.agent.Answer(44, rollout.Declined); err != nil {
		t.Fatal(err)
	}
	if len(w.reports.said) != 0 {
		t.Fatalf("reported without consent: %v", w.reports.said)
	}
}

func TestAttemptIsReportedBeforeArmingAndTheOutcomeAfter(t *testing.T) {
	for program, outcome := range map[string]string{
		"true": "trial of 42: installed_healthy none", "false": "trial of 42: rolled_back health_check",
	} {
		t.Run(program, func(t *testing.T) {
			w := newWorld(t)
			w.config.Health = [][]string{{program}}
			w.reports.on, w.reports.acknowledged = true, true
			w.reports.before = func(class vote.Class) {
				if class == vote.Attempt && w.state("b").Bootable {
					t.Error("the attempt is reported after arming")
				}
			}
			w.slots.verb = func(name string) {
				if name == "arm" && w.reports.count("attempt") != 1 {
					t.Error("armed before the attempt was reported")
				}
			}
			w.offer(42)
			w.once()
			said := slices.DeleteFunc(w.reports.said, func(s string) bool { return s == "prepare" })
			if want := []string{"attempt of 42:  ", outcome}; !slices.Equal(said, want) {
				t.Fatalf("reported %q, want %q", said, want)
			}
		})
	}
}

func TestSilentReportServiceDelaysArmingByAtMostTheWait(t *testing.T) {
	for name, now := range map[string]time.Time{"clock": began, "dead clock": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.device.now, w.reports.on = now, true
			w.offer(42)
			wait := w.config.Report.AttemptWait.Duration
			if s := w.step(); s.State != Staged || !strings.Contains(s.Sentence, "waits for the report") {
				t.Fatalf("status %+v", s)
			}
			w.device.up += wait - time.Second
			if s := w.step(); s.State != Staged || w.state("b").Armed() {
				t.Fatalf("status %+v", s)
			}
			w.device.up += time.Second
			w.once()
			w.runs(42)
		})
	}
	t.Run("restart", func(t *testing.T) {
		w := newWorld(t)
		w.reports.on, w.device.up = true, 5*time.Hour
		w.offer(42)
		w.step()
		w.reboot() // uptime begins anew; the wait does not begin again for ever
		w.once()
		w.runs(42)
	})
}

func TestHaltDuringTheWaitForTheReportIsObeyed(t *testing.T) {
	w := newWorld(t)
	w.reports.on = true
	_, r := w.offer(42)
	w.step()
	r.State, w.reports.acknowledged = rollout.Halted, true
	w.code(w.once(), rollout.HaltedCode)
	if w.state("b").Bootable {
		t.Fatal("slot b is armed")
	}
	w.runs(41)
}

func TestTokensAreAskedForOutsideOfTheShareToo(t *testing.T) {
	w := newWorld(t)
	w.reports.on = true
	_, r := w.offer(42)
	r.Share = 0
	w.code(w.once(), rollout.NotInShare)
	if !slices.Equal(w.reports.said, []string{"prepare"}) {
		t.Fatalf("%v", w.reports.said)
	}
}

func TestRefusalOfTheOwnerIsReportedWhenReportsAreOn(t *testing.T) {
	w := newWorld(t)
	w.reports.on = true
	if err := w.agent.Answer(42, rollout.Declined); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.reports.said, []string{"refusal of 42: declined none"}) {
		t.Fatalf("%q", w.reports.said)
	}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEverythingWrongWithAConfigurationIsSaidAtOnce(t *testing.T) {
	_, err := LoadConfig(writeConfig(t, "product: phone\nmodel: m1\nservers: []\nstate: ''\nslots: ''\nminBattery: 10\nabortBattery: 20\nhealth: [[]]\n"))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, word := range []string{"client.yaml", `"servers"`, `"state"`, `"slots"`, `"abortBattery"`, `"health[0]"`} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v\ndoes not speak of %s", err, word)
		}
	}
}

func TestUnknownFieldOfAConfigurationIsRefused(t *testing.T) {
	_, err := LoadConfig(writeConfig(t, "product: phone\nmodel: m1\nservers: [http://h]\nstate: s\nslots: l\nreportAll: true\n"))
	if err == nil || !strings.Contains(err.Error(), "reportAll") {
		t.Fatalf("got %v", err)
	}
}

func TestConfigurationIsRelativeToItsFileAndHasTheDefaultsItDocuments(t *testing.T) {
	path := writeConfig(t, "product: phone\nmodel: m1\nservers: [http://h]\nstate: s\nslots: /l\n")
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	hours := func(h int) manifests.Duration { return manifests.Duration{Duration: time.Duration(h) * time.Hour} }
	if c.State != filepath.Join(filepath.Dir(path), "s") || c.Slots != "/l" || c.Device != "" {
		t.Fatalf("paths %q, %q, %q", c.State, c.Slots, c.Device)
	}
	if c.Channel != "stable" || c.Poll.Every != hours(6) || c.Report.AttemptWait != hours(1) || c.MinBattery != 30 || c.AbortBattery != 15 {
		t.Fatalf("defaults %+v", c)
	}
}
