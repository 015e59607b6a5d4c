package dashboard

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
)

const browserAccepts = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func site(t *testing.T) *Site {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask is a request of a browser that goes to a path.
func ask(s *Site, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept", browserAccepts)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// anAsset is the path of some script.
func anAsset(t *testing.T, s *Site) string {
	t.Helper()
	for path := range s.assets {
		if strings.HasSuffix(path, ".js") && len(s.assets[path].Body) > 10_000 {
			return path
		}
	}
	t.Fatal("there is no script")
	return ""
}

func TestEveryAnswerIsConfined(t *testing.T) {
	s := site(t)
	for _, path := range []string{"/", anAsset(t, s), "/assets/none.js", "/nowhere"} {
		h := ask(s, http.MethodGet, path).Header()
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: no %s in %q", path, want, csp)
			}
		}
		for _, never := range []string{"unsafe", "http:", "https:", "data:", "blob:", "*"} {
			if strings.Contains(csp, never) {
				t.Errorf("%s: %s in %q", path, never, csp)
			}
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s: %q", path, name, h.Get(name))
			}
		}
		if !strings.Contains(h.Get("Permissions-Policy"), "camera=()") {
			t.Errorf("%s: Permissions-Policy: %q", path, h.Get("Permissions-Policy"))
		}
	}
}

func TestOnlyItsOwnAddressesAreThePages(t *testing.T) {
	dist := fstest.MapFS{
		"index.html":      {Data: []byte("<!doctype html>")},
		"routes.json":     {Data: []byte(`["/", "/rollouts", "/rollouts/:id", "/products/:product/releases/:build"]`)},
		"assets/a-1.js":   {Data: []byte("1")},
		"assets/b-2.css":  {Data: []byte("b{}")},
		"assets/icon.svg": {Data: []byte("<svg/>")},
	}
	s, err := open(dist)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/": 200, "/rollouts": 200, "/rollouts/7-a": 200, "/products/phone/releases/42": 200, "/assets/a-1.js": 200, "/assets/b-2.css": 200,
		"/rollouts/": 404, "/rollouts/7-a/x": 404, "/Rollouts": 404, "/x": 404, "//": 404, "/index.html": 404, "/routes.json": 404,
		"/assets/": 404, "/assets/a-2.js": 404, "/assets/../index.html": 404, "/metadata/9.root.json": 404, "/products//releases/42": 404,
	} {
		if w := ask(s, http.MethodGet, path); w.Code != want {
			t.Errorf("%s: %d, not %d", path, w.Code, want)
		}
	}
	for _, accept := range []string{"", "*/*", "application/json", "application/octet-stream"} {
		if w := ask(s, http.MethodGet, "/rollouts", "Accept", accept); w.Code != 404 {
			t.Errorf("who accepts %q was given a page", accept)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		for _, path := range []string{"/", "/assets/a-1.js"} {
			if w := ask(s, method, path); w.Code != 404 {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
}

func TestAssetsAreKeptForEverAndPagesAreNot(t *testing.T) {
	s := site(t)
	w := ask(s, http.MethodGet, anAsset(t, s))
	if h := w.Header(); !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("an asset: %v", h)
	}
	w = ask(s, http.MethodGet, "/")
	if h := w.Header(); h.Get("Cache-Control") != "no-cache" || h.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(h.Get("Vary"), "Accept") {
		t.Errorf("a page: %v", h)
	}
	if h := ask(s, http.MethodGet, "/assets/gone.js").Header(); h.Get("Cache-Control") != "no-store" {
		t.Errorf("what is not there may be kept: %v", h)
	}
}

func TestHeadIsAnsweredAsGetWithoutABody(t *testing.T) {
	s := site(t)
	for _, path := range []string{"/", anAsset(t, s)} {
		get, head := ask(s, http.MethodGet, path), ask(s, http.MethodHead, path)
		if head.Body.Len() != 0 || head.Code != 200 || head.Header().Get("Content-Length") != get.Header().Get("Content-Length") || head.Header().Get("Etag") != get.Header().Get("Etag") {
			t.Errorf("%s: %d %v", path, head.Code, head.Header())
		}
	}
}

func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	s := site(t)
	for _, path := range []string{"/", anAsset(t, s)} {
		tag := ask(s, http.MethodGet, path).Header().Get("Etag")
		for _, asked := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			w := ask(s, http.MethodGet, path, "If-None-Match", asked)
			if w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("Content-Security-Policy") == "" {
				t.Errorf("%s, %s: %d", path, asked, w.Code)
			}
		}
		if w := ask(s, http.MethodGet, path, "If-None-Match", `"other"`); w.Code != 200 {
			t.Errorf("%s: %d for another tag", path, w.Code)
		}
	}
}

func TestCompressedFormsAreTheSameBytes(t *testing.T) {
	s := site(t)
	path := anAsset(t, s)
	plain := ask(s, http.MethodGet, path).Body.Bytes()
	for encoding, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		w := ask(s, http.MethodGet, path, "Accept-Encoding", encoding)
		if w.Header().Get("Content-Encoding") != encoding || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Fatalf("%s: %v", encoding, w.Header())
		}
		r, err := open(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes of %d, %v", encoding, len(got), len(plain), err)
		}
	}
}

func TestABuildThatIsNotCompleteIsRefused(t *testing.T) {
	whole := func() fstest.MapFS {
		return fstest.MapFS{"index.html": {Data: []byte("x")}, "routes.json": {Data: []byte(`["/"]`)}, "assets/a.js": {Data: []byte("1")}}
	}
	if _, err := open(whole()); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(fstest.MapFS){
		"no page":         func(d fstest.MapFS) { delete(d, "index.html") },
		"no routes":       func(d fstest.MapFS) { delete(d, "routes.json") },
		"routes":          func(d fstest.MapFS) { d["routes.json"] = &fstest.MapFile{Data: []byte("{")} },
		"an unknown kind": func(d fstest.MapFS) { d["assets/a.wasm"] = &fstest.MapFile{Data: []byte("1")} },
	} {
		d := whole()
		spoil(d)
		if _, err := open(d); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// embedded are the files of dist, for the tests of what is built.
func embedded(t *testing.T) (names []string) {
	t.Helper()
	err := fs.WalkDir(built, "dist", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil || len(names) < 5 || !slices.Contains(names, "dist/index.html") {
		t.Fatalf("dist: %v, %v", names, err)
	}
	return names
}
