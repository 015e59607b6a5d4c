package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/fleet/sim"
)

func TestFlagsAreReadInPercent(t *testing.T) {
	o, err := parse([]string{"--fail", "0.5, 3%", "--brick=2", "--poison", "none,healthy:1,failed:10", "--poll", "6h,24h", "--opt-in", "35", "--quick", "--json"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.fail, []float64{0.005, 0.03}) || !slices.Equal(o.brick, []float64{0.02}) || o.optIn != 0.35 || !o.gridOnly || !o.asJSON || o.seeds != 40 {
		t.Errorf("%+v", o)
	}
	if !slices.Equal(o.poison, []sim.Poison{{}, {Share: 0.01, Says: vote.InstalledHealthy}, {Share: 0.1, Says: vote.RolledBack}}) {
		t.Errorf("attackers %+v", o.poison)
	}
	if !slices.Equal(o.poll, []time.Duration{6 * time.Hour, 24 * time.Hour}) {
		t.Errorf("polls %v", o.poll)
	}
	if o, err := parse(nil); err != nil || o.gridOnly || o.handsets != 1_000_000 || o.seeds != 1_000 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestFlagsThatMeanNothingAreRefused(t *testing.T) {
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte("product: phone\nbuild: 42\nstages: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, says := range map[string]string{
		"--fail=101":             "--fail",
		"--brick=-1":             "--brick",
		"--brick=NaN":            "--brick",
		"--opt-in=0":             "--opt-in",
		"--opt-in=1,2":           "--opt-in",
		"--poison=healthy":       "--poison",
		"--poison=failed:100":    "--poison",
		"--poison=none:1":        "--poison",
		"--poll=1s":              "--poll",
		"--handsets=999":         "--handsets",
		"--handsets=10000001":    "--handsets",
		"--seeds=0":              "--seeds",
		"--plan=" + plan:         "rollout plan",
		"--plan=" + plan + ".no": "--plan",
		"more":                   "more",
	} {
		if _, err := parse([]string{flag}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// The whole of it on a fleet so small that only the form counts.
func TestFiguresAreThoseOfThePlay(t *testing.T) {
	o, err := parse([]string{"--handsets", "1000", "--seeds", "10", "--opt-in", "100", "--fail", "0.5,50", "--brick", "0", "--poison", "none", "--poll", "1h"})
	if err != nil {
		t.Fatal(err)
	}
	o.plan = sim.Stages(sim.DefaultSoak, 600_000, 1_000_000)
	p := &player{options: o, fleet: newFleet(o.handsets), say: func(string, ...any) {}}
	cells, err := p.grid()
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != 2 || cells[0].bad || !cells[1].bad || cells[0].halted != 0 || cells[1].halted != 100 || cells[1].left != 0 {
		t.Errorf("%+v", cells)
	}
	if c := cells[1]; c.votes50 < 5 || c.votes99 < c.votes50 || c.hours50 <= 0 || c.installed50 <= 0 || c.installed50 >= 60 || c.harmed50 <= 0 {
		t.Errorf("%+v", c)
	}
	rows := cells[1].rows()
	var b bytes.Buffer
	if err := (figure.Report{Name: "fleet", Rows: rows}).JSON(&b); err != nil || !json.Valid(b.Bytes()) {
		t.Errorf("%v: %s", err, b.Bytes())
	}
	b.Reset()
	if err := show(&b, o, rows, cells, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1,000 handsets, 100 % opted in", "50 %", "grid: fails 50 %, silent 0 %, attacker none, poll 1h: halted"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestTimesAndNumbersAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{6 * time.Hour: "6h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 24 * time.Hour: "24h", 100 * time.Second: "1m40s"} {
		if got := short(d); got != want {
			t.Errorf("%s is written %s", want, got)
		}
	}
	for n, want := range map[int]string{7: "7", 1000: "1,000", 1_020_003: "1,020,003"} {
		if got := thousands(n); got != want {
			t.Errorf("%s is written %s", want, got)
		}
	}
}
