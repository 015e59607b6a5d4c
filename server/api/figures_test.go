package api_test

import (
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/auth"
)

// families gives the names of all figures of /metrics that are ours.
func (w *world) families() map[string]bool {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.api.Admin().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	out := map[string]bool{}
	for line := range strings.Lines(rec.Body.String()) {
		if name, ok := strings.CutPrefix(line, "# TYPE candor_"); ok {
			name, _, _ = strings.Cut(name, " ")
			out["candor_"+name] = true
		}
	}
	return out
}

var figureName = regexp.MustCompile("`(candor_[a-z_]+)")

func TestEveryFigureIsDocumented(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range figureName.FindAllStringSubmatch(string(readme), -1) {
		documented[m[1]] = true
	}
	w := inUse(t)
	w.hostile("1")
	w.damage(`DROP TABLE tokens`) // so that there are failures to count
	w.call(auth.Admin, "GET", "/v1/products", nil)
	there := w.families()
	for name := range there {
		if !documented[name] {
			t.Errorf("server/README.md does not say what %s is", name)
		}
	}
	for name := range documented {
		if !there[name] {
			t.Errorf("server/README.md speaks of %s, which /metrics has not", name)
		}
	}
}
