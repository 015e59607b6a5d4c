package browser_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/browser"
)

// sees is what somebody finds on the pages, by role of element and name.
type sees struct {
	path, role, name string
	by               []string // logins
}

var everybody = []string{"vera", "emil", "olga", "adam", "paula"}

var roleMatrix = []sees{
	{"/rollouts/ID", "button", "^HALT", []string{"emil", "olga", "adam", "paula"}},
	{"/rollouts/ID", "button", "^Pause …$", []string{"emil", "olga", "adam", "paula"}},
	{"/rollouts/ID", "button", "^Supersede …$", []string{"olga", "adam", "paula"}},
	{"/rollouts", "link", "^New rollout$", []string{"olga", "adam", "paula"}},
	{"/rollouts/new", "heading", "^New rollout$", []string{"olga", "adam", "paula"}},
	{"/rollouts/new", "heading", "^Not for you$", []string{"vera", "emil"}},
	{"/submit", "heading", "^Not for you$", []string{"vera", "olga", "paula"}},
	{"/people", "heading", "^Not for you$", []string{"vera", "emil", "olga", "paula"}},
	{"/people", "heading", "^People", []string{"adam"}},
	{"/rollouts/OTHER", "button", "^HALT watch", []string{"emil", "olga", "adam"}}, // paula's word is for the phone alone
	{"/", "link", "^Overview$", everybody},
	{"/", "link", "^Rollouts$", everybody},
	{"/", "link", "^People", []string{"adam"}},
}

// A role hides what one may not do, and the server refuses it all the same.
func TestRolesHideWhatTheServerRefuses(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("roles")
	must(t, s.AddProduct(t.Context(), "watch"))
	other := s.runningOther("watch")
	for _, login := range everybody {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			p := s.as(login, "/", `^request: \S+ \S+: (403|404)$`)
			must(t, p.Size(1440, 900, false)) // wide enough for the navigation
			shown := ""
			for _, c := range roleMatrix {
				path := map[string]string{"/rollouts/ID": "/rollouts/" + id, "/rollouts/OTHER": "/rollouts/" + other}[c.path]
				if path == "" {
					path = c.path
				}
				if path != shown {
					must(t, p.Open(s.front.url+path))
					shown = path
				}
				if slices.Contains(c.by, login) {
					if _, err := p.Find(c.role, c.name); err != nil {
						t.Errorf("%s: %v", login, err)
					}
					continue
				}
				s.atRest(p, path)
				if found, err := p.All(c.role, c.name); err != nil || len(found) > 0 {
					t.Errorf("%s on %s: the %s %q is there %d times: %v", login, path, c.role, c.name, len(found), err)
				}
			}
			for _, c := range []struct {
				method, path, body string
				by                 []string
			}{
				{"POST", "/v1/rollouts/" + id + "/resume", `{"reason":"x"}`, []string{"olga", "adam", "paula"}},
				{"POST", "/v1/rollouts/" + other + "/note", `{"reason":"x"}`, []string{"emil", "olga", "adam"}},
				{"POST", "/v1/api-tokens", `{"name":"x","role":"viewer"}`, []string{"adam"}},
				{"GET", "/v1/people", ``, []string{"adam"}},
				{"GET", "/v1/audit/export", ``, []string{"adam"}},
			} {
				status, err := browser.Eval[int](p, fmt.Sprintf(`(async () => {
					const me = await (await fetch('/v1/auth/session')).json();
					const r = await fetch(%q, {method: %q, body: %q || undefined, headers: {'Content-Type': 'application/json', 'X-CSRF-Token': me.csrf}});
					return r.status;
				})()`, c.path, c.method, c.body))
				must(t, err)
				refused := status == http.StatusForbidden || status == http.StatusNotFound
				if refused == slices.Contains(c.by, login) {
					t.Errorf("%s: %s %s: %d", login, c.method, c.path, status)
				}
			}
			p.Take() // refusals that were asked for
		})
	}
}

// atRest waits until a page has what it asked for and has not grown for half a
// second.
func (s *site) atRest(p *browser.Page, where string) {
	s.t.Helper()
	last, same := 0, 0
	must(s.t, p.Until(where+" to be at rest", func() (bool, error) {
		done, err := browser.Eval[bool](p, settled)
		if err != nil || !done {
			return false, err
		}
		n, err := browser.Eval[int](p, "document.querySelectorAll('*').length")
		if same++; n != last {
			last, same = n, 0
		}
		return same >= 5, err
	}))
}

// runningOther opens a release of another product.
func (s *site) runningOther(name manifests.Product) string {
	s.t.Helper()
	s.releaseFor(name, 107, atOnce)
	other := plan(107, rollout.Stage{Share: manifests.WholeFleet})
	other.Product = name
	r, err := s.Open(s.t.Context(), other)
	must(s.t, err)
	return r.ID
}

// Signing out everywhere ends what another browser shows, while it shows it.
func TestSignOutEverywhereEndsTheOtherBrowsersView(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("out")
	here, there := s.as("olga", "/account", `: 401$`), s.as("olga", "/rollouts/"+id, `: 401$`)
	s.live(there)
	s.click(here, "button", "^Sign out everywhere")
	if confirm, err := here.All("dialog", ""); err == nil && len(confirm) > 0 {
		s.click(here, "button", "^Sign out everywhere$")
	}
	for _, p := range []*browser.Page{here, there} {
		must(t, p.Until("the way to sign in", func() (bool, error) {
			return browser.Eval[bool](p, "location.pathname === '/sign-in'")
		}))
		if text, err := p.Text(); err != nil || strings.Contains(text, "Rolling out") {
			t.Errorf("who was signed out still sees the rollout: %v", err)
		}
	}
}

// Who ends a session by keyboard goes on at the list that it was in, though the
// button that was pressed is gone with it.
func TestAnEndedSessionLeavesTheKeyboardAtTheList(t *testing.T) {
	t.Parallel()
	s := start(t)
	here, there := s.as("olga", "/account"), s.as("olga", "/", `: 401$`)
	s.live(there)
	s.click(here, "button", "^End session")
	s.click(here, "button", "^End it$")
	must(t, here.Gone("button", "^End session"))
	must(t, here.Until("the keyboard to be at the list", func() (bool, error) {
		return browser.Eval[bool](here, "document.activeElement.textContent === 'Where you are signed in'")
	}))
}

// A token signs in for as long as it is one.
func TestARevokedTokenEndsItsSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("token")
	var made struct{ ID, Token string }
	must(t, s.Call(t.Context(), http.MethodPost, "/v1/api-tokens", map[string]string{"name": "night shift", "role": "operator"}, &made))
	p := s.person(`: 401$`)
	must(t, p.Open(s.front.url+"/rollouts/"+id))
	field, err := p.Find("textbox", "^API token")
	must(t, err)
	must(t, field.Fill("candor_wrong"))
	s.click(p, "button", "^Sign in")
	s.says(p, "is no token|not known|unknown|wrong|revoked|not valid")
	must(t, field.Fill(made.Token))
	s.click(p, "button", "^Sign in")
	s.says(p, "Rolling out ·") // where one wanted to go
	s.live(p)
	must(t, s.Call(t.Context(), http.MethodDelete, "/v1/api-tokens/"+made.ID, nil, nil))
	must(t, p.Until("the way to sign in", func() (bool, error) {
		return browser.Eval[bool](p, "location.pathname === '/sign-in'")
	}))
}
