package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/dashboard"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// static answers for published files. It is stateless but for counters.
type static struct {
	tree    func() *publish.Tree
	blobs   Blobs
	presign presigner // nil: bytes are served from here
	newest  newest    // nil: there are no other servers
	pages   *dashboard.Site
	log     *slog.Logger
	counts  *staticCounts
}

// newest follows the other servers.
type newest interface {
	Newest(ctx context.Context) error
}

type presigner interface {
	Presign(ctx context.Context, key string, life time.Duration) (url string, err error)
}

// Header values that never change, shared by all answers.
var (
	revalidate = []string{"max-age=60, must-revalidate"}
	immutable  = []string{"public, max-age=31536000, immutable"}
	unstored   = []string{"no-store"}
	jsonType   = []string{"application/json"}
	nosniff    = []string{"nosniff"}
	byEncoding = []string{"Accept-Encoding"}
)

// file serves metadata and documents from memory: the poll path. What is not
// published may be of the dashboard, which is thus never in its way. Header keys
// are written in their canonical form, as Get and Set would make them so at
// each request. There is no Last-Modified, and dates in requests mean nothing.
func (s *static) file(w http.ResponseWriter, r *http.Request) {
	if s.newest != nil && r.Header[layout.FreshHeader] != nil && !s.fresh(w, r) {
		return
	}
	var f *publish.File
	if tree := s.tree(); tree != nil && len(r.URL.Path) > 1 {
		f = tree.File(r.URL.Path[1:])
	}
	if f == nil {
		if s.pages.Has(r) {
			s.pages.ServeHTTP(w, r)
			return
		}
		s.absent(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	form, status := s.form(f, r.Header["Accept-Encoding"], r.Header["If-None-Match"])
	for _, one := range fields(f, form, status) {
		if one.value != nil {
			h[one.name] = one.value
		}
	}
	if status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	if d, ok := w.(deadlined); ok && len(form.Body) > atOnce {
		if err := unsupported(d.SetWriteDeadline(patience(int64(len(form.Body))))); err != nil {
			s.log.Warn("a file keeps its deadline", "error", err)
		}
	}
	if _, err := w.Write(form.Body); err != nil {
		return // the reader went away
	}
}

// form chooses how a file is answered for, and counts it.
func (s *static) form(f *publish.File, accept, match []string) (*publish.Form, int) {
	form := f.Accepting(accept)
	if len(match) > 0 && matches(match, form.ETag) {
		s.counts.unchanged.add()
		return form, http.StatusNotModified
	}
	s.counts.served.add()
	return form, http.StatusOK
}

// field is one of a header; it is left out if it has no value.
type field struct {
	name  string
	value []string
}

// fields are those of an answer, whoever writes it.
func fields(f *publish.File, form *publish.Form, status int) [7]field {
	out := [7]field{{"Etag", form.ETags}, {"Vary", byEncoding}, {"Cache-Control", revalidate}}
	if f.Immutable {
		out[2].value = immutable
	}
	if status == http.StatusOK {
		out[3], out[4], out[5] = field{"Content-Type", jsonType}, field{"X-Content-Type-Options", nosniff}, field{"Content-Length", form.Length}
		out[6] = field{"Content-Encoding", form.Encoding}
	}
	return out
}

// atOnce is what an answer has room for before anybody reads of it: net/http's
// own buffer. What is longer has to be read at the minimum rate, as all else.
const atOnce = 4 << 10

// deadlined are answers with a deadline, which net/http's are.
type deadlined interface {
	SetWriteDeadline(deadline time.Time) error
}

// freshTime bounds how long a reader waits for this server to follow the others.
const freshTime = 2 * time.Second

// fresh follows the other servers for a reader who asked for that, or sends him
// away for a moment: to him an older file would be worse than none.
func (s *static) fresh(w http.ResponseWriter, r *http.Request) bool {
	ctx, done := context.WithTimeout(r.Context(), freshTime)
	defer done()
	err := s.newest.Newest(ctx)
	if err == nil {
		return true
	}
	if r.Context().Err() == nil {
		s.log.Warn("a reader who asked for the newest was sent away", "error", err)
		h := w.Header()
		h["Cache-Control"], h["Retry-After"] = unstored, []string{"1"}
		http.Error(w, "this server does not know yet what others have published; try again", http.StatusServiceUnavailable)
	}
	return false
}

// absent answers for what is not there. Handsets ask for the next root that
// way at each walk, so that may be kept as long as a timestamp may; anything
// else could be there in a moment, and is not to be missed for longer.
func (s *static) absent(w http.ResponseWriter, r *http.Request) {
	s.counts.missing.add()
	w.Header()["Cache-Control"] = unstored
	if layout.IsRootFile(strings.TrimPrefix(r.URL.Path, "/")) {
		w.Header()["Cache-Control"] = revalidate
	}
	http.NotFound(w, r)
}

// matches compares If-None-Match weakly (RFC 9110, section 13.1.2).
func matches(asked []string, etag string) bool {
	for _, list := range asked {
		if list == etag || list == "*" {
			return true
		}
		for one := range strings.SplitSeq(list, ",") {
			if strings.TrimPrefix(strings.TrimSpace(one), "W/") == etag {
				return true
			}
		}
	}
	return false
}

const redirectLife = time.Hour

// open opens what is stored, or answers that it is not there or cannot be read.
func (s *static) open(w http.ResponseWriter, r *http.Request, key string) (io.ReadSeekCloser, store.Info, bool) {
	body, info, err := s.blobs.Open(r.Context(), key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.absent(w, r)
	case err != nil:
		s.fault(w, key, err)
	}
	return body, info, err == nil
}

// blob serves a blob with ranges. Its name is its hash, so it never changes.
func (s *static) blob(w http.ResponseWriter, r *http.Request) {
	hash, err := manifests.ParseSHA256(strings.TrimPrefix(r.URL.Path, "/"+layout.BlobsDir+"/"))
	if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.absent(w, r)
		return
	}
	key := layout.BlobFile(hash)
	if s.presign != nil && r.Method == http.MethodGet { // a URL is signed for one method; HEAD has no bytes
		s.redirect(w, r, key)
		return
	}
	body, info, ok := s.open(w, r, key)
	if !ok {
		return
	}
	if err := unsupported(http.NewResponseController(w).SetWriteDeadline(patience(info.Size))); err != nil {
		s.log.Warn("a download keeps its deadline", "error", err)
	}
	h := w.Header()
	h["Etag"], h["Cache-Control"] = []string{`"` + hash.String() + `"`}, immutable
	h["Content-Type"], h["X-Content-Type-Options"] = []string{"application/octet-stream"}, nosniff
	s.counts.blobs.add()
	expect(body, r, info.Size)
	m := &metered{ResponseWriter: w}
	http.ServeContent(m, r, "", time.Time{}, body)
	s.counts.bytes.plus(m.sent)
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
	s.counts.blobs.add()
	w.Header().Set("Cache-Control", "private, max-age=60")
	http.Redirect(w, r, url, http.StatusTemporaryRedirect)
}

func (s *static) fault(w http.ResponseWriter, key string, err error) {
	w.Header()["Cache-Control"] = unstored
	s.log.Error("blob cannot be served", "blob", key, "error", err)
	http.Error(w, "the store cannot be read; try again", http.StatusServiceUnavailable)
}
