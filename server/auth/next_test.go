package auth_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/auth"
)

// FuzzCheckNext resolves what is accepted like a browser does, which takes \
// for / and drops tabs and line ends.
func FuzzCheckNext(f *testing.F) {
	for _, s := range []string{"/", "/rollouts/x?tab=1#top", "//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "/%2f/evil.example", "/..//evil.example", ""} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "ota.example.org", Path: "/v1/auth/callback"}
	f.Fuzz(func(t *testing.T, next string) {
		if err := auth.CheckNext(next); err != nil {
			if !errors.Is(err, auth.ErrBadNext) {
				t.Errorf("%q: %v", next, err)
			}
			return
		}
		seen := strings.NewReplacer(`\`, "/", "\t", "", "\n", "", "\r", "").Replace(next)
		u, err := base.Parse(seen)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || strings.HasPrefix(seen, "//") {
			t.Errorf("%q leads to %v, %v", next, u, err)
		}
	})
}
