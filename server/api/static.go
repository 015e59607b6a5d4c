package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// static answers for published files. It is stateless but for counters.
type static struct {
	tree    func() *publish.Tree
	blobs   Blobs
	presign presigner // nil: bytes are served from here
	log     *slog.Logger
	metrics *metrics
}

type presigner interface {
	Presign(ctx context.Context, key string, life time.Duration) (url string, err error)
}

// Header values that never change, shared by all answers.
var (
	revalidate = []string{"max-age=60, must-revalidate"}
	immutable  = []string{"public, max-age=31536000, immutable"}
	jsonType   = []string{"application/json"}
	nosniff    = []string{"nosniff"}
)

// file serves metadata and documents from memory: the poll path. A file that
// is not there is a plain 404, as handsets ask for the next root that way.
func (s *static) file(w http.ResponseWriter, r *http.Request) {
	tree := s.tree()
	if tree == nil || len(r.URL.Path) < 2 {
		http.NotFound(w, r)
		return
	}
	f := tree.File(r.URL.Path[1:])
	if f == nil {
		s.metrics.missing.Inc()
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h["Etag"] = f.ETags
	if f.Immutable {
		h["Cache-Control"] = immutable
	} else {
		h["Cache-Control"] = revalidate
	}
	// The canonical key, looked up as it is: Get would make it so each time.
	if match := r.Header["If-None-Match"]; len(match) > 0 && matches(match[0], f.ETag) {
		s.metrics.unchanged.Inc()
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.metrics.served.Inc()
	h["Content-Type"], h["X-Content-Type-Options"], h["Content-Length"] = jsonType, nosniff, f.Length
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(f.Body); err != nil {
		return // the reader went away
	}
}

// matches compares an If-None-Match list, weakly (RFC 9110, section 13.1.2).
func matches(list, etag string) bool {
	if list == etag || list == "*" {
		return true
	}
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimPrefix(strings.TrimSpace(one), "W/") == etag {
			return true
		}
	}
	return false
}

const redirectLife = time.Hour

// blob serves a blob with ranges. Its name is its hash, so it never changes.
func (s *static) blob(w http.ResponseWriter, r *http.Request) {
	hash, err := manifests.ParseSHA256(strings.TrimPrefix(r.URL.Path, "/"+layout.BlobsDir+"/"))
	if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	key := layout.BlobFile(hash)
	if s.presign != nil {
		s.redirect(w, r, key)
		return
	}
	body, info, err := s.blobs.Open(r.Context(), key)
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.fault(w, key, err)
		return
	}
	if err := unsupported(http.NewResponseController(w).SetWriteDeadline(patience(info.Size))); err != nil {
		s.log.Warn("a download keeps its deadline", "error", err)
	}
	h := w.Header()
	h["Etag"], h["Cache-Control"] = []string{`"` + hash.String() + `"`}, immutable
	h["Content-Type"], h["X-Content-Type-Options"] = []string{"application/octet-stream"}, nosniff
	s.metrics.blobs.Inc()
	http.ServeContent(w, r, "", time.Time{}, body)
	if err := body.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.log.Warn("close blob", "error", err)
	}
}

func (s *static) redirect(w http.ResponseWriter, r *http.Request, key string) {
	url, err := s.presign.Presign(r.Context(), key, redirectLife)
	if err != nil {
		s.fault(w, key, err)
		return
	}
	s.metrics.blobs.Inc()
	w.Header().Set("Cache-Control", "private, max-age=60")
	http.Redirect(w, r, url, http.StatusTemporaryRedirect)
}

func (s *static) fault(w http.ResponseWriter, key string, err error) {
	s.log.Error("blob cannot be served", "blob", key, "error", err)
	http.Error(w, "the store cannot be read; try again", http.StatusServiceUnavailable)
}
