package dashboard

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/candor-ota/candor/server/publish"
)

//go:embed all:dist
var built embed.FS

// Site is the built dashboard. It is safe for concurrent use.
type Site struct {
	page   *asset
	assets map[string]*asset // by path: /assets/…
	routes [][]string        // patterns by segments; one that begins with a colon is any
}

// asset is a file with the header values that are made once for all answers.
type asset struct {
	*publish.File
	kind []string
}

// New reads the dashboard out of the program.
func New() (*Site, error) {
	dist, err := fs.Sub(built, "dist")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	return open(dist)
}

func open(dist fs.FS) (*Site, error) {
	page, err := fs.ReadFile(dist, "index.html")
	if err != nil {
		return nil, fmt.Errorf("dashboard: build it first (server/dashboard/README.md): %w", err)
	}
	s := &Site{page: &asset{publish.NewFile(page, false), []string{"text/html; charset=utf-8"}}, assets: map[string]*asset{}}
	if err := s.readRoutes(dist); err != nil {
		return nil, fmt.Errorf("dashboard: routes.json: %w", err)
	}
	names, err := fs.Glob(dist, "assets/*")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	for _, name := range names {
		body, err := fs.ReadFile(dist, name)
		if err != nil {
			return nil, fmt.Errorf("dashboard: %w", err)
		}
		kind, ok := kinds[path.Ext(name)]
		if !ok {
			return nil, fmt.Errorf("dashboard: %s: no media type is known for %q; add it to kinds", name, path.Ext(name))
		}
		s.assets["/"+name] = &asset{publish.NewFile(body, true), []string{kind}}
	}
	return s, nil
}

// kinds are the media types of assets: the system's own list is another on each
// machine, and nosniff makes browsers insist.
var kinds = map[string]string{
	".js":   mime.FormatMediaType("text/javascript", map[string]string{"charset": "utf-8"}),
	".css":  mime.FormatMediaType("text/css", map[string]string{"charset": "utf-8"}),
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".webp": "image/webp",
}

func (s *Site) readRoutes(dist fs.FS) error {
	body, err := fs.ReadFile(dist, "routes.json")
	if err != nil {
		return err
	}
	var patterns []string
	if err := json.Unmarshal(body, &patterns); err != nil {
		return err
	}
	for _, p := range patterns {
		s.routes = append(s.routes, strings.Split(p, "/"))
	}
	return nil
}

// Has says whether a request is the dashboard's: for one of its assets, or by a
// browser for one of its pages. Whoever asks for anything but HTML is no browser
// that goes somewhere, and is not answered with a page.
func (s *Site) Has(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if strings.HasPrefix(r.URL.Path, "/assets/") {
		return s.assets[r.URL.Path] != nil
	}
	return acceptsHTML(r.Header["Accept"]) && s.routed(r.URL.EscapedPath())
}

func acceptsHTML(accept []string) bool {
	for _, a := range accept {
		if strings.Contains(a, "text/html") {
			return true
		}
	}
	return false
}

// routed says whether a path, escaped as it came, is that of a page, as
// web/src/route/route.ts has it: a name in it may hold an escaped slash.
func (s *Site) routed(p string) bool {
	have := strings.Split(p, "/")
	for _, want := range s.routes {
		if matches(want, have) {
			return true
		}
	}
	return false
}

func matches(want, have []string) bool {
	if len(want) != len(have) {
		return false
	}
	for i, w := range want {
		if w != have[i] && (!strings.HasPrefix(w, ":") || have[i] == "") {
			return false
		}
	}
	return true
}

var (
	immutable  = []string{"public, max-age=31536000, immutable"}
	revalidate = []string{"no-cache"}
	byEncoding = []string{"Accept-Encoding"}
	byAccept   = []string{"Accept, Accept-Encoding"}
)

// ServeHTTP answers a request that is the dashboard's, and any other with 404.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	Secure(h)
	if !s.Has(r) {
		h["Cache-Control"] = []string{"no-store"}
		http.NotFound(w, r)
		return
	}
	file := s.assets[r.URL.Path]
	h["Vary"], h["Cache-Control"] = byEncoding, immutable
	if file == nil {
		file = s.page
		h["Vary"], h["Cache-Control"] = byAccept, revalidate
	}
	form := file.Accepting(r.Header["Accept-Encoding"])
	h["Etag"] = form.ETags
	if unchanged(r.Header["If-None-Match"], form.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"], h["Content-Length"] = file.kind, form.Length
	if form.Encoding != nil {
		h["Content-Encoding"] = form.Encoding
	}
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(form.Body); err != nil {
		return // the reader went away
	}
}

// unchanged compares If-None-Match weakly (RFC 9110, section 13.1.2).
func unchanged(asked []string, etag string) bool {
	for _, list := range asked {
		for one := range strings.SplitSeq(list, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == etag {
				return true
			}
		}
	}
	return false
}
