package browser_test

import (
	"fmt"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/browser"
)

// The pages of the real server can be read by everybody, too: with what they
// show while something runs, after a halt, and before there is anything.
func TestEveryPageOfTheServerCanBeReadByEverybody(t *testing.T) {
	t.Parallel()
	s := start(t)
	empty := s.as("adam", "/")
	s.readable(empty, append(s.pages(), "/guide"))
	bad := s.running("bad")
	s.report(101, 30, healthy)
	s.report(101, 20, failed)
	s.report(101, 10, looped)
	s.halted(bad)
	s.running("good")
	s.report(102, 25, healthy)
	_, err := s.Open(s.t.Context(), plan(102, rollout.Stage{Share: 100_000}, rollout.Stage{Share: manifests.WholeFleet}))
	must(t, err)
	s.readable(s.as("adam", "/"), append(s.pages(), "/products/phone/releases/102", "/rollouts/new", "/guide"))
	anybody := s.person(notSignedIn, notSignedInPlain)
	s.readable(anybody, []string{"/sign-in", "/plain"})
}

// readable looks at pages in all ways. Stories are looked at more closely.
func (s *site) readable(p *browser.Page, paths []string) {
	s.t.Helper()
	for _, path := range paths {
		say := func(how string, found []string, err error) {
			must(s.t, err)
			for _, f := range found {
				s.t.Errorf("%s, %s: %s", path, how, f)
			}
		}
		must(s.t, p.Prefer("prefers-color-scheme", "light"))
		must(s.t, p.Size(1440, 900, false))
		must(s.t, p.Open(s.front.url+path))
		must(s.t, p.Until(path+" to be shown", func() (bool, error) { return browser.Eval[bool](p, settled) }))
		found, err := p.Violations()
		say("light", found, err)
		must(s.t, p.Prefer("prefers-color-scheme", "dark"))
		must(s.t, p.Painted())
		found, err = p.Faint()
		say("dark", found, err)
		for _, width := range browser.Widths {
			must(s.t, p.Size(width, 800, width < 700))
			must(s.t, p.Painted())
			found, err := p.Faults()
			say(fmt.Sprintf("%d px", width), found, err)
		}
	}
}

// settled tells whether a page has what it asked for.
const settled = `!!document.querySelector('h1') && !document.querySelector('[aria-busy=true]')`
