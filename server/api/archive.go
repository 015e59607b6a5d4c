package api

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/manifests/layout"
)

// archived serves a release that has left its list. It is small, rarely asked
// for, and never changes.
func (s *static) archived(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/")
	if _, _, _, ok := layout.ParseArchiveFile(key); !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.absent(w, r)
		return
	}
	body, info, ok := s.open(w, r, key)
	if !ok {
		return
	}
	data, err := io.ReadAll(io.LimitReader(body, min(info.Size, archive.MaxBytes)))
	if err = errors.Join(err, body.Close()); err != nil {
		s.fault(w, key, err)
		return
	}
	h := w.Header()
	h["Etag"], h["Cache-Control"] = []string{layout.ETag(data)}, immutable
	h["Content-Type"], h["X-Content-Type-Options"] = jsonType, nosniff
	if matches(r.Header["If-None-Match"], layout.ETag(data)) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(data); err != nil {
		return // the reader went away
	}
}
