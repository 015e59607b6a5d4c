package api_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/candor-ota/candor/server/auth"
)

// known gives every figure with each of its labels: name, name{key="value"}
// and "name key".
func (w *world) known() map[string]bool {
	w.t.Helper()
	w.hostile("1")
	w.damage(`DROP TABLE tokens`) // so that there are failures to count
	w.call(auth.Admin, "GET", "/v1/products", nil)
	out := map[string]bool{}
	for line := range w.figures() {
		name, labels, _ := strings.Cut(strings.TrimSuffix(line, "}"), "{")
		out[name] = true
		for l := range strings.SplitSeq(labels, ",") {
			key, _, _ := strings.Cut(l, "=")
			out[name+"{"+l+"}"], out[name+" "+key] = true, true
		}
	}
	return out
}

var (
	exprFigures  = regexp.MustCompile(`\b((?:candor|process|go)_[a-z_]+)(\{[^}]*\})?`)
	exprMatchers = regexp.MustCompile(`([a-z]+)(=~|=)"([^"]*)"`)
)

// scraped are labels that the scrape adds.
var scraped = []string{"instance", "job"}

// speaksOf holds an expression to the figures that there are.
func speaksOf(t *testing.T, where, expr string, known map[string]bool) {
	t.Helper()
	found := exprFigures.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s speaks of nothing: %s", where, expr)
	}
	for _, f := range found {
		if !known[f[1]] {
			t.Errorf("%s: there is no %s", where, f[1])
			continue
		}
		for _, m := range exprMatchers.FindAllStringSubmatch(f[2], -1) {
			switch {
			case slices.Contains(scraped, m[1]):
			case m[2] == "=" && !known[f[1]+"{"+m[1]+`="`+m[3]+`"}`]:
				t.Errorf("%s: %s has no %s=%q", where, f[1], m[1], m[3])
			case !known[f[1]+" "+m[1]]:
				t.Errorf("%s: %s has no label %s", where, f[1], m[1])
			}
		}
	}
}

func TestAlertRulesSpeakOfFiguresThatThereAre(t *testing.T) {
	data, err := os.ReadFile("../alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("../alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known := inUse(t).known()
	for _, r := range file.Groups[0].Rules {
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["action"] == "" {
			t.Errorf("%s says not what to do", r.Alert)
		}
		if !strings.Contains(string(tests), `"`+r.Alert+`"`) {
			t.Errorf("alerts_test.yaml never has %s fire", r.Alert)
		}
		speaksOf(t, r.Alert, r.Expr, known)
	}
}

func TestAlertRulesFireWhenTheyShould(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command("promtool", args...) // scripts/test installs it
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

func TestDashboardShowsFiguresThatThereAre(t *testing.T) {
	data, err := os.ReadFile("../deploy/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Type, Query string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	known := inUse(t).known()
	shown := map[string]bool{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			speaksOf(t, p.Title, target.Expr, known)
			for _, f := range exprFigures.FindAllStringSubmatch(target.Expr, -1) {
				shown[f[1]] = true
			}
		}
	}
	for _, v := range board.Templating.List {
		if v.Type == "query" {
			speaksOf(t, "a variable", v.Query, known)
		}
	}
	if len(shown) < 30 {
		t.Errorf("the dashboard shows %d figures", len(shown))
	}
}
