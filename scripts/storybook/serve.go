package storybook

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/candor-ota/candor/server/dashboard"
)

// Handler serves the storybook that stands in a directory, with the headers of
// the real server. Every address but those of assets is the storybook itself,
// which finds the story by it: /-/ lists them all. There is no server behind
// it: what a story does not answer by itself is refused.
func Handler(dir string) http.Handler {
	assets := http.FileServerFS(os.DirFS(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		dashboard.Secure(h)
		h.Set("Cache-Control", "no-store")
		switch {
		case strings.HasPrefix(r.URL.Path, "/assets/"):
			h.Set("Cache-Control", "max-age=31536000, immutable") // their names are of what is in them
			assets.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/v1/"):
			http.Error(w, "a storybook has no server", http.StatusNotFound)
		case r.URL.Path == "/":
			http.Redirect(w, r, "/-/", http.StatusSeeOther)
		default:
			http.ServeFile(w, r, filepath.Join(dir, "stories.html"))
		}
	})
}
