package trust_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests/layout"
)

// stale is what a cache can do to a tree: it answers from a state that the tree
// was in before.
type stale func(before map[string][]byte, w http.ResponseWriter, r *http.Request, genuine http.HandlerFunc)

func name(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/") }

func send(w http.ResponseWriter, r *http.Request, data []byte) {
	if data == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", layout.ETag(data))
	w.Write(data)
}

// older is the file of an earlier version under the name of a newer one.
func older(before map[string][]byte, path string) []byte {
	_, role, _ := strings.Cut(filepath.Base(path), ".")
	for p, data := range before {
		if _, other, _ := strings.Cut(filepath.Base(p), "."); other == role {
			return data
		}
	}
	return nil
}

var caches = map[string]stale{
	"old tree": func(before map[string][]byte, w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		send(w, r, before[name(r)])
	},
	"old timestamp, the rest new": func(before map[string][]byte, w http.ResponseWriter, r *http.Request, genuine http.HandlerFunc) {
		if name(r) == layout.TimestampFile {
			send(w, r, before[layout.TimestampFile])
			return
		}
		genuine(w, r)
	},
	"new timestamp, no snapshot": func(before map[string][]byte, w http.ResponseWriter, r *http.Request, genuine http.HandlerFunc) {
		if strings.HasSuffix(name(r), ".snapshot.json") {
			http.NotFound(w, r)
			return
		}
		genuine(w, r)
	},
	"new timestamp, old snapshot under its name": func(before map[string][]byte, w http.ResponseWriter, r *http.Request, genuine http.HandlerFunc) {
		if strings.HasSuffix(name(r), ".snapshot.json") {
			send(w, r, older(before, name(r)))
			return
		}
		genuine(w, r)
	},
	"half of the tree": func(before map[string][]byte, w http.ResponseWriter, r *http.Request, genuine http.HandlerFunc) {
		if strings.Contains(name(r), layout.RolloutsRole) {
			send(w, r, before[name(r)])
			return
		}
		genuine(w, r)
	},
	"truncated bodies": func(_ map[string][]byte, w http.ResponseWriter, r *http.Request, genuine http.HandlerFunc) {
		answer := httptest.NewRecorder()
		if genuine(answer, r); answer.Code != http.StatusOK {
			http.NotFound(w, r)
			return
		}
		w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	},
	"error pages with 200": func(_ map[string][]byte, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><h1>502 Bad Gateway</h1></html>")
	},
	"other JSON": func(_ map[string][]byte, w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		send(w, r, []byte(`{"signed":{},"signatures":[]}`))
	},
}

// memory is the store of a handset, file by file, without what it notes about
// mirrors.
func memory(t *testing.T, h *handset) map[string]string {
	t.Helper()
	out := map[string]string{}
	found, err := filepath.Glob(filepath.Join(h.dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = string(data)
	}
	return out
}

func copied(r *repo) map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.files)
}

// Between the handset and the only origin stands a cache. The handset keeps
// what it knew, whole, and goes on by itself once the cache is right again.
func TestStaleAndMixedCachesOnlyDelay(t *testing.T) {
	for what, cache := range caches {
		t.Run(what, func(t *testing.T) {
			r := newRepo(t)
			r.open(42)
			r.publish()
			h := r.handset()
			first := mustPoll(t, h)
			before, known := copied(r), memory(t, h)
			r.open(43)
			r.publish()
			genuine := http.HandlerFunc(r.serveTree)
			r.answer = func(w http.ResponseWriter, req *http.Request) bool {
				cache(before, w, req, genuine)
				return true
			}
			for range 3 {
				view, err := h.poll()
				if err == nil && view.Versions["timestamp"] != first.Versions["timestamp"] {
					t.Fatalf("it took %v", view.Versions)
				}
				now := memory(t, h)
				delete(now, ".state.json")
				for file, text := range known {
					if file != ".state.json" && now[file] != text {
						t.Errorf("%s was changed", file)
					}
				}
				h.restart(r)
			}
			r.answer = nil
			view := mustPoll(t, h)
			if view.Versions["timestamp"] <= first.Versions["timestamp"] || view.Document.Rollouts[0].Build != 43 {
				t.Errorf("afterwards it is at %v", view.Versions)
			}
		})
	}
}

// Beside a mirror that is behind or wrong stands the origin: the same poll
// reaches the newest state. Only where mirrors are asked for the timestamp can
// one that stands still hide that there is news.
func TestStaleAndMixedMirrorsDoNotEvenDelay(t *testing.T) {
	for what, cache := range caches {
		for mode, asked := range map[string]bool{"for files": false, "for the timestamp, too": true} {
			t.Run(what+", "+mode, func(t *testing.T) {
				r := newRepo(t)
				r.open(42)
				r.publish()
				h := r.handset()
				mustPoll(t, h)
				before := copied(r)
				r.open(43)
				r.publish()
				genuine := http.HandlerFunc(r.serveTree)
				mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { cache(before, w, req, genuine) }))
				t.Cleanup(mirror.Close)
				source, err := fetch.New(fetch.Options{
					Bases: []string{r.url}, Mirrors: []string{mirror.URL}, PollMirrors: asked, Retries: -1, Backoff: time.Millisecond,
				})
				if err != nil {
					t.Fatal(err)
				}
				h.Fetch = source
				hidden := asked && strings.HasPrefix(what, "old t")
				if view := mustPoll(t, h); !hidden && view.Document.Rollouts[0].Build != 43 {
					t.Errorf("it is at %v", view.Versions)
				}
			})
		}
	}
}

func TestSecondServerIsAskedWhereTheFirstIsBehind(t *testing.T) {
	r := newRepo(t)
	h := r.handset()
	old := copied(r)
	r.publish()
	mustPoll(t, h)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { send(w, req, old[name(req)]) }))
	t.Cleanup(behind.Close)
	source, err := fetch.New(fetch.Options{Bases: []string{behind.URL, r.url}})
	if err != nil {
		t.Fatal(err)
	}
	h.Fetch = source
	mustPoll(t, h)
	r.put(layout.TimestampFile, bytes.Clone(old[layout.TimestampFile]))
	refused(t, h, trust.ErrStaleMirror, "timestamp") // both are
}
