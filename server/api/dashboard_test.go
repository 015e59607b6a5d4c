package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// A browser that goes to a page gets the app, confined; everybody else, and
// every other path, is answered as if there were no dashboard.
func TestDashboardIsWhereNothingIsPublished(t *testing.T) {
	w := ready(t, 42)
	for _, path := range []string{"/", "/rollouts/7-a", "/products/phone/releases/42"} {
		status, h, body := w.call("", http.MethodGet, path, nil, "Accept", "text/html,*/*;q=0.8")
		if status != 200 || !strings.Contains(string(body), `<div id="app">`) || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", path, status, h)
		}
		for _, accept := range []string{"*/*", "application/json"} {
			if status, _, _ := w.call("", http.MethodGet, path, nil, "Accept", accept); status != 404 {
				t.Errorf("%s for who accepts %s: %d", path, accept, status)
			}
		}
		if status, _, _ := w.call("", http.MethodPost, path, nil, "Accept", "text/html"); status != 404 {
			t.Errorf("POST %s: %d", path, status)
		}
	}
	for path, want := range map[string]string{
		"/metadata/timestamp.json": "application/json", "/metadata/1.root.json": "application/json", // what is published comes first
		"/metadata/2.root.json": "text/plain; charset=utf-8", "/targets/": "text/plain; charset=utf-8", "/index.html": "text/plain; charset=utf-8",
		"/assets/none.js": "text/plain; charset=utf-8", "/blobs/x": "text/plain; charset=utf-8",
	} {
		if _, h, _ := w.call("", http.MethodGet, path, nil, "Accept", "text/html"); h.Get("Content-Type") != want {
			t.Errorf("%s: %s, not %s", path, h.Get("Content-Type"), want)
		}
	}
}
