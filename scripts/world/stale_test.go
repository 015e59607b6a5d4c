package world_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/world"
)

// recorder is a network between handset and cache that keeps what went by.
type recorder struct {
	mu   sync.Mutex
	kept map[string][]byte // by path
}

func (r *recorder) pass(w http.ResponseWriter, req *http.Request, inner http.Handler) {
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, req)
	if answer.Code == http.StatusOK && req.Header.Get("Accept-Encoding") != "gzip" {
		r.mu.Lock()
		r.kept[req.URL.Path] = answer.Body.Bytes()
		r.mu.Unlock()
	}
	copyAnswer(w, answer)
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

type lie func(old map[string][]byte, w http.ResponseWriter, r *http.Request, inner http.Handler)

func serveOld(old map[string][]byte, w http.ResponseWriter, path string) {
	data, ok := old[path]
	if !ok {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", layout.ETag(data))
	w.Write(data)
}

// onPath lies about the files whose path holds a word.
func onPath(word string, l lie) lie {
	return func(old map[string][]byte, w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if strings.Contains(r.URL.Path, word) {
			l(old, w, r, inner)
			return
		}
		inner.ServeHTTP(w, r)
	}
}

func oldTree(old map[string][]byte, w http.ResponseWriter, r *http.Request, _ http.Handler) {
	serveOld(old, w, r.URL.Path)
}

// oldRole answers with any earlier version of the same role.
func oldRole(old map[string][]byte, w http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, role, _ := strings.Cut(filepath.Base(r.URL.Path), ".")
	for path := range old {
		if _, other, _ := strings.Cut(filepath.Base(path), "."); other == role {
			serveOld(old, w, path)
			return
		}
	}
	http.NotFound(w, r)
}

func absent(_ map[string][]byte, w http.ResponseWriter, r *http.Request, _ http.Handler) {
	http.NotFound(w, r)
}

func page(_ map[string][]byte, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "text/html")
	w.Write([]byte("<html><title>Log in to the wireless network</title></html>"))
}

// half cuts bodies, with a length that fits: nothing but the hash tells.
func half(_ map[string][]byte, w http.ResponseWriter, r *http.Request, inner http.Handler) {
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, r)
	answer.Header().Del("Content-Length")
	if answer.Code == http.StatusOK {
		answer.Body.Truncate(answer.Body.Len() / 2)
	}
	copyAnswer(w, answer)
}

// flipped changes one bit of each body.
func flipped(_ map[string][]byte, w http.ResponseWriter, r *http.Request, inner http.Handler) {
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, r)
	if b := answer.Body.Bytes(); len(b) > 0 {
		b[len(b)/2] ^= 1
	}
	copyAnswer(w, answer)
}

var lies = map[string]lie{
	"old tree":                     oldTree,
	"old timestamp, new snapshot":  onPath("timestamp.json", oldTree),
	"new timestamp, no snapshot":   onPath(".snapshot.json", absent),
	"new timestamp, old snapshot":  onPath(".snapshot.json", oldRole),
	"old releases under new names": onPath("releases-", oldRole),
	"half-synced: no documents":    onPath("/targets/", oldTree),
	"half-synced: no blobs":        onPath("/blobs/", absent),
	"truncated":                    half,
	"truncated blobs":              onPath("/blobs/", half),
	"flipped":                      flipped,
	"flipped blobs":                onPath("/blobs/", flipped),
	"error page with 200":          page,
	"error page for documents":     onPath("/targets/", page),
	"error page for blobs":         onPath("/blobs/", page),
}

// The real handset behind the real nginx, and between them a network that
// serves every mixture of old, new, cut and foreign files: the handset runs
// what it ran, boots, and installs the new build as soon as it is let.
func TestStaleAndMixedFilesOnlyDelay(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	c := startCache(t, w)
	c.origin.becomes(func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		answer := httptest.NewRecorder()
		if inner.ServeHTTP(answer, r); r.URL.Path == timestampPath {
			answer.Header().Set("Cache-Control", "max-age=1") // a minute, in a second
		}
		copyAnswer(w, answer)
	})
	g, seen := gatewayTo(t, c.url), &recorder{kept: map[string][]byte{}}
	g.becomes(seen.pass)
	p := accepted(t, phone(t, w, g.url, false), 42)
	once(t, p)
	if s := once(t, p); s.Build != 42 {
		t.Fatalf("it runs %d: %s", s.Build, s.Status.Sentence)
	}
	g.becomes(nil)
	release(t, w, 43, atOnce)
	openToAll(t, w, 43)
	_, newest := ask(t, "GET", w.Server+timestampPath)
	for kept := []byte(nil); !bytes.Equal(kept, newest); { // the cache's minute passes
		_, kept = ask(t, "GET", c.url+timestampPath)
	}
	for name, l := range lies {
		t.Run(name, func(t *testing.T) {
			g.becomes(func(w http.ResponseWriter, r *http.Request, inner http.Handler) { l(seen.kept, w, r, inner) })
			if s, err := p.Once(ctx); err == nil && s.Build != 42 {
				t.Errorf("it runs %d: %s", s.Build, s.Status.Sentence)
			}
			stillRuns(t, p, 42)
		})
	}
	g.becomes(nil)
	if err := comesTo(accepted(t, p, 43), 43); err != nil {
		t.Error(err)
	}
}

// With the server itself beside that network, the handset does not even wait.
func TestStaleAndMixedMirrorsAreGoneRound(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	for _, name := range []string{"old tree", "truncated", "flipped", "error page with 200", "half-synced: no blobs"} {
		t.Run(name, func(t *testing.T) {
			mirror := gatewayTo(t, w.Server)
			mirror.becomes(func(w http.ResponseWriter, r *http.Request, inner http.Handler) { lies[name](nil, w, r, inner) })
			p := accepted(t, phone(t, w, "", false), 42)
			configured := filepath.Join(p.Dir, "client.yaml")
			config, err := os.ReadFile(configured)
			if err != nil {
				t.Fatal(err)
			}
			config = bytes.Replace(config, []byte("{"), []byte(`{"mirrors":["`+mirror.url+`"],"pollMirrors":true,`), 1)
			if err := os.WriteFile(configured, config, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := comesTo(p, 42); err != nil {
				t.Error(err)
			}
			mirror.mu.Lock()
			if len(mirror.seen) == 0 {
				t.Error("the mirror was never asked")
			}
			mirror.mu.Unlock()
		})
	}
}

// stillRuns makes sure that a handset knows what it runs, and can boot it.
func stillRuns(t *testing.T, p *world.Phone, build manifests.Build) {
	t.Helper()
	if s := status(t, p); s.Build != build {
		t.Errorf("it runs %d", s.Build)
	}
}

// comesTo lets a handset look for news until it runs a build: once to install
// and once to restart are enough.
func comesTo(p *world.Phone, build manifests.Build) error {
	var s world.Status
	var err error
	for range 3 {
		if s, err = p.Once(ctx); err == nil && s.Build == build {
			return nil
		}
	}
	return fmt.Errorf("it runs %d: %s, %w", s.Build, s.Status.Sentence, err)
}
