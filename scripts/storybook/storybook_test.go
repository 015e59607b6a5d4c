package storybook_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/scripts/storybook"
)

// Every story is a page of the app, found by its own address.
func TestEveryStoryIsListedOnce(t *testing.T) {
	d, err := storybook.Open(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	list, err := d.Stories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s.Address] || s.Page == "" || s.Name == "" || !strings.HasPrefix(s.Path, "/") || !strings.HasPrefix(s.Address, "/-/"+s.Page+"/") {
			t.Errorf("story %+v", s)
		}
		seen[s.Address] = true
	}
	if !seen["/-/parts/all"] {
		t.Errorf("the parts have no story among %d", len(list))
	}
}

func TestStorybookIsConfinedAsTheServerIs(t *testing.T) {
	dir := t.TempDir()
	for name, body := range map[string]string{"stories.html": "<!doctype html>stories", "assets/a.js": "1"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := storybook.Handler(dir)
	for path, status := range map[string]int{"/": 303, "/-/": 200, "/-/parts/all": 200, "/rollouts/7-a": 200, "/assets/a.js": 200, "/assets/b.js": 404, "/v1/overview": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != status || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}
