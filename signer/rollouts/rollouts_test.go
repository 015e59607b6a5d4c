package rollouts

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/rollout"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestPercentagesAreReadExactly(t *testing.T) {
	for in, want := range map[string]uint32{"12%": 120_000, "12 %": 120_000, "0.7%": 7_000, "0.0001%": 1, "100%": 1_000_000, "12.3456%": 123_456, "012%": 120_000} {
		var s share
		if err := s.Set(in); err != nil || uint32(s.ppm) != want {
			t.Errorf("%q: %d, %v", in, s.ppm, err)
		}
	}
	for _, bad := range []string{"", "12", "%", "100.0001%", "101%", "-1%", "1e2%", "0.00001%", "1,5%", "12%%", "999%"} {
		var s share
		if err := s.Set(bad); err == nil {
			t.Errorf("%q was taken as %d", bad, s.ppm)
		}
	}
}

func TestEveryExamplePlanSurvivesYAML(t *testing.T) {
	files, err := filepath.Glob("../../manifests/examples/*/rollout.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := rollout.ParsePlan(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := planYAML(plan, "a comment")
		if err != nil {
			t.Fatal(err)
		}
		back, err := rollout.ParsePlan(again)
		if err != nil || !reflect.DeepEqual(plan, back) {
			t.Errorf("%s became\n%s%v", file, again, err)
		}
	}
}

// Words that YAML would read as something else stay words.
func TestNamesThatLookLikeNumbersSurviveYAML(t *testing.T) {
	for _, name := range []string{"1e3", "007", "0x1f", "true", "null", "off", "1.5", "2026-03-01"} {
		plan, err := rollout.ParsePlan([]byte(`{"product":"phone","build":43,"channel":"` + name + `","audience":{"models":["` + name + `"]},"stages":[{"sharePPM":1000000,"soak":"0s"}],"kind":"normal","deferral":"7d","spread":"30m"}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		data, err := planYAML(plan)
		if err != nil {
			t.Fatal(err)
		}
		back, err := rollout.ParsePlan(data)
		if err != nil || !reflect.DeepEqual(plan, back) {
			t.Errorf("%s became\n%s%v", name, data, err)
		}
	}
}

func watched() *api.Rollout {
	since := noon
	return &api.Rollout{
		Id: "43-test", Product: "phone", Build: 43, Channel: new("stable"), State: "active", SharePPM: 10_000, StageSince: &since,
		Stages: []api.Stage{{SharePPM: 10_000, Soak: "1d"}, {SharePPM: 1_000_000, Soak: "0s"}}, MissingApprovals: new(1),
		Outlook: &api.Outlook{
			Sentence: "2 failures in 412 outcomes; next stage in 3 h 10 m unless halted.",
			Findings: []api.Finding{{Rule: "failures", Outcome: "undecided", Sentence: "2 failures in 412 outcomes"}},
			Waits:    []api.Wait{{Code: "soaking", Sentence: "stage 1 soaks"}},
		},
	}
}

func TestLiveViewSaysAllThatMatters(t *testing.T) {
	view := strings.Join(viewLines(watched(), noon.Add(time.Hour)), "\n")
	for _, want := range []string{
		"[#.......................................]  active, stage 1 of 2, 1 %", "soak: 23 h left of 1d",
		"2 failures in 412 outcomes; next stage in 3 h 10 m unless halted.", "undecided failures: 2 failures", "waits     stage 1 soaks [soaking]",
		"stage 2 lacks the word of 1 more",
	} {
		if !strings.Contains(view, want) {
			t.Errorf("%q is not in\n%s", want, view)
		}
	}
	halted := watched()
	halted.State, halted.HaltBound, halted.Reason = "halted", &api.HaltBound{Sentence: "No handset after noon."}, new("bricks")
	view = strings.Join(viewLines(halted, noon), "\n")
	if !strings.Contains(view, "No handset after noon.") || !strings.Contains(view, "reason: bricks") || strings.Contains(view, "soak:") {
		t.Error(view)
	}
}

func TestViewIsRedrawnInPlace(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, size: func() (int, int) { return 20, 4 }}
	for _, lines := range [][]string{{"one", "two"}, {"a line that is too long for it", "three", "four"}, {"five"}} {
		if err := s.draw(lines); err != nil {
			t.Fatal(err)
		}
	}
	want := "one\ntwo\n" + "\x1b[2A\r\x1b[J" + "a line that is too\n    long for it\n\u2026\n" + "\x1b[3A\r\x1b[J" + "five\n"
	if out.String() != want {
		t.Errorf("%q\n%q", out.String(), want)
	}
}

func TestRowsOfTheViewFitTheTerminal(t *testing.T) {
	for _, l := range []string{
		"", "x", strings.Repeat("x", 20), strings.Repeat("x", 21), strings.Repeat("\u4fee", 10), strings.Repeat("\u4fee", 31), "x" + strings.Repeat("\u4fee", 10),
		"  waits     for the votes of very many handsets", strings.Repeat("word ", 30), "    " + strings.Repeat("x", 50) + " y",
	} {
		rows := wrap(l, 20)
		for _, row := range rows {
			used := 0
			for _, r := range row {
				used += columnsOf(r)
			}
			if used > 20 || !utf8.ValidString(row) {
				t.Errorf("%q: %q has %d columns", l, row, used)
			}
		}
		if got := strings.ReplaceAll(strings.Join(rows, ""), " ", ""); got != strings.ReplaceAll(l, " ", "") {
			t.Errorf("%q became %q", l, rows)
		}
	}
}

func TestCountdownAloneIsNoChange(t *testing.T) {
	a, b := watched(), watched()
	b.Outlook.Sentence = "2 failures in 412 outcomes; next stage in 3 h 9 m unless halted."
	if traits(a) != traits(b) {
		t.Error("a countdown is told as a change")
	}
	for name, change := range map[string]func(*api.Rollout){
		"state":   func(r *api.Rollout) { r.State = "held" },
		"stage":   func(r *api.Rollout) { r.Stage = 1 },
		"version": func(r *api.Rollout) { r.Version++ },
		"outcome": func(r *api.Rollout) { r.Outlook.Outcome = new(api.OutlookOutcome("pass")) },
		"votes":   func(r *api.Rollout) { r.Outlook.Findings[0].Sentence = "3 failures in 500 outcomes" },
		"waits":   func(r *api.Rollout) { r.Outlook.Waits = nil },
	} {
		var b api.Rollout
		data, err := json.Marshal(a)
		if err == nil {
			err = json.Unmarshal(data, &b)
		}
		if err != nil {
			t.Fatal(err)
		}
		if change(&b); traits(a) == traits(&b) {
			t.Errorf("a change of %s is not told", name)
		}
	}
}
