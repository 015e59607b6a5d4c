package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
)

// house is a world in which people sign in.
type house struct {
	*world
	idp    *idp
	grants []config.Grant
}

var houseGrants = []config.Grant{
	{Group: "release-managers", Role: "operator", Products: []string{"phone"}},
	{Group: "engineers", Role: "engineer"},
	{Group: "admins", Role: "admin"},
}

func newHouse(t testing.TB, with ...func(*world)) *house {
	t.Helper()
	h := &house{idp: startIDP(t), grants: houseGrants}
	h.world = newWorld(t, append([]func(*world){func(w *world) {
		w.clock.Store(time.Now().Unix())
		w.people = h.configure
	}}, with...)...)
	return h
}

// configure is what config.yaml and its files say.
func (h *house) configure(w *world, origin string) *auth.People {
	w.t.Helper()
	o := config.OIDC{Issuer: h.idp.issuer, RedirectURL: origin + config.CallbackPath, CAFile: h.idp.caFile(w.t), Grants: h.grants}
	var secret string
	o.ClientID, secret = h.idp.register(w.t, o.RedirectURL)
	o.ClientSecretFile = filepath.Join(w.t.TempDir(), "secret")
	w.must(os.WriteFile(o.ClientSecretFile, []byte(secret+"\n"), 0o600))
	f := config.File{Listen: config.DefaultListen, Admin: config.DefaultAdmin, OIDC: &o}
	w.must(f.Validate())
	people, err := f.People(w.ledger, w.now)
	w.must(err)
	return people
}

func (h *house) browser() *browser { return newBrowser(h.t, h.idp.proxy.Client()) }

// begin goes as far as the provider sends the browser back; change may alter
// where the browser goes first.
func (h *house) begin(b *browser, login string, change ...func(url.Values)) *url.URL {
	h.t.Helper()
	p := b.get(h.http.URL + "/v1/auth/login?next=/rollouts")
	where := p.next(h.t)
	if p.status != http.StatusSeeOther || where == nil || !strings.HasPrefix(where.String(), h.idp.issuer) {
		h.t.Fatalf("login: %d %v %s", p.status, p.header, p.body)
	}
	q := where.Query()
	for _, f := range change {
		f(q)
	}
	where.RawQuery = q.Encode()
	return b.walk(where, login)
}

func (h *house) signIn(b *browser, login string) contract.Caller {
	h.t.Helper()
	p := b.get(h.begin(b, login).String())
	if where := p.next(h.t); p.status != http.StatusSeeOther || where.Path != "/rollouts" || where.Host != h.http.Listener.Addr().String() {
		h.t.Fatalf("callback: %d %v %s\n%s", p.status, p.header, p.body, &h.log)
	}
	return h.whoami(b)
}

func (h *house) whoami(b *browser) contract.Caller {
	h.t.Helper()
	status, data := h.ask(b, "GET", "/v1/auth/session", nil)
	var c contract.Caller
	if err := json.Unmarshal(data, &c); err != nil || status != http.StatusOK {
		h.t.Fatalf("session: %d %s", status, data)
	}
	return c
}

// ask sends what a script on one of our pages would, if the header says so.
func (h *house) ask(b *browser, method, path string, body []byte, header ...string) (int, []byte) {
	h.t.Helper()
	status, _, data := h.exchange(b.http, method, path, body, header...)
	return status, data
}

// ours is what our own pages send along.
func (h *house) ours(c contract.Caller) []string {
	return []string{"Origin", h.http.URL, "Sec-Fetch-Site", "same-origin", "X-CSRF-Token", *c.Csrf}
}

func (h *house) signedOut(b *browser) bool {
	h.t.Helper()
	status, _ := h.ask(b, "GET", "/v1/auth/session", nil)
	return status == http.StatusUnauthorized
}

func cookieNamed(h http.Header, name string) *http.Cookie {
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// holds is the value of a cookie that a browser sends us.
func (h *house) holds(b *browser, name string) string {
	h.t.Helper()
	u, err := url.Parse(h.http.URL)
	h.must(err)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (h *house) give(b *browser, name, value string) {
	h.t.Helper()
	u, err := url.Parse(h.http.URL)
	h.must(err)
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

func TestPeopleSignInAndLearnWhatTheyMay(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	p := b.get(h.begin(b, "li").String())
	c := cookieNamed(p.header, "__Host-candor-session")
	if c == nil || !c.HttpOnly || !c.Secure || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 24*3600 || len(c.Value) != 43 {
		t.Fatalf("%+v", c)
	}
	if gone := cookieNamed(p.header, "__Host-candor-login"); gone == nil || gone.MaxAge >= 0 {
		t.Errorf("the cookie of the attempt stays: %+v", gone)
	}
	li := h.whoami(b)
	if li.Kind != contract.CallerKindSession || li.Name != "Li Na <li@example.org>" || li.Person != h.idp.issuer+"#li" || *li.Csrf == "" ||
		len(li.Grants) != 1 || li.Grants[0].Role != "operator" || len(li.Grants[0].Products) != 1 || len(li.Permissions) != 4 {
		t.Errorf("%+v", li)
	}
	if got := li.Expires.Sub(h.now()); got != 24*time.Hour {
		t.Errorf("it lives for %s", got)
	}
	if got := li.IdleExpires.Sub(h.now()); got != 8*time.Hour {
		t.Errorf("it lives unused for %s", got)
	}
	if wei := h.signIn(h.browser(), "wei"); wei.Name != "Wei" {
		t.Errorf("an e-mail address that the provider has not verified is shown: %s", wei.Name)
	}
	if admin := h.signIn(h.browser(), "admin"); len(admin.Permissions) != 7 {
		t.Errorf("a single group is not read: %+v", admin)
	}
	entries, err := h.ledger.Entries(ctx, store.EntryQuery{})
	h.must(err)
	found := false
	for _, e := range entries {
		found = found || e.What == "auth.sign-in" && e.Who == "Li Na <li@example.org> ("+h.idp.issuer+"#li)"
	}
	if !found {
		t.Errorf("the audit log does not say unmistakably who signed in: %+v", entries)
	}
}

func TestWhoHasNoGrantIsToldSo(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	p := b.get(h.begin(b, "mallory").String())
	if p.status != http.StatusForbidden || !strings.Contains(p.body, contract.CodeNoGrant) || !strings.Contains(p.body, "ask its administrator") ||
		!strings.HasPrefix(p.header.Get("Content-Type"), "text/html") || cookieNamed(p.header, "__Host-candor-session") != nil {
		t.Errorf("%d %v\n%s", p.status, p.header, p.body)
	}
	b = h.browser()
	back := h.begin(b, "mallory")
	status, _, data := h.exchange(b.http, "GET", back.RequestURI(), nil)
	var problem contract.Problem
	if err := json.Unmarshal(data, &problem); err != nil || status != http.StatusForbidden || problem.Code != contract.CodeNoGrant {
		t.Errorf("%d %s", status, data)
	}
}

func TestProviderIsAskedWithPKCEStateAndNonce(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	first, second := b.get(h.http.URL+"/v1/auth/login").next(t).Query(), b.get(h.http.URL+"/v1/auth/login").next(t).Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(first.Get(name)) != 43 || first.Get(name) == second.Get(name) {
			t.Errorf("%s: %q and %q", name, first.Get(name), second.Get(name))
		}
	}
	if first.Get("code_challenge_method") != "S256" || first.Get("response_type") != "code" || first.Get("redirect_uri") != h.http.URL+config.CallbackPath {
		t.Errorf("%v", first)
	}
}

func TestNextStaysOnThisServer(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for next, fine := range map[string]bool{
		"/": true, "/rollouts/x?tab=1#top": true, "": true,
		"https://evil.example": false, "//evil.example": false, `/\evil.example`: false, `\\evil.example`: false, "evil": false,
		"javascript:alert(1)": false, "/a\tb": false, "/a\u202eb": false, "/\n/evil.example": false, "///evil.example": false, "/" + strings.Repeat("x", 600): false,
	} {
		p := b.get(h.http.URL + "/v1/auth/login?next=" + url.QueryEscape(next))
		if (p.status == http.StatusSeeOther) != fine || !fine && p.status != http.StatusBadRequest {
			t.Errorf("next=%q: %d", next, p.status)
		}
	}
}

func TestSessionIsNeverTheOneThatWasBroughtAlong(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	planted := strings.Repeat("A", 43)
	h.give(b, "__Host-candor-session", planted)
	h.signIn(b, "li")
	first := h.holds(b, "__Host-candor-session")
	if first == planted {
		t.Fatal("a planted session was taken")
	}
	thief := h.browser()
	h.give(thief, "__Host-candor-session", planted)
	if !h.signedOut(thief) {
		t.Error("the planted cookie opens the session")
	}
	h.signIn(b, "wei")
	h.give(thief, "__Host-candor-session", first)
	if !h.signedOut(thief) {
		t.Error("the session before signing in again lives on")
	}
}

func TestSigningOut(t *testing.T) {
	h := newHouse(t)
	here, there, other := h.browser(), h.browser(), h.browser()
	li := h.signIn(here, "li")
	h.signIn(there, "li")
	h.signIn(other, "wei")
	if status, data := h.ask(here, "POST", "/v1/auth/logout", nil, h.ours(li)...); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, data)
	}
	if !h.signedOut(here) || h.holds(here, "__Host-candor-session") != "" || h.signedOut(there) {
		t.Error("sign-out ends another session, or not this one")
	}
	li = h.signIn(here, "li")
	if status, data := h.ask(here, "POST", "/v1/auth/logout-everywhere", nil, h.ours(li)...); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, data)
	}
	if !h.signedOut(here) || !h.signedOut(there) {
		t.Error("a session outlives signing out everywhere")
	}
	if h.signedOut(other) {
		t.Error("somebody else is signed out too")
	}
	h.refused(409, contract.CodeConflict, auth.Admin, "POST", "/v1/auth/logout", nil)
}

func TestSessionsEndByThemselves(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.signIn(b, "li")
	for range 3 {
		h.wait(7 * time.Hour)
		h.whoami(b) // used within 8 h
	}
	h.wait(3 * time.Hour) // 24 h after it began
	if !h.signedOut(b) {
		t.Error("a session that is used lives longer than 24 h")
	}
	h.clock.Store(time.Now().Unix())
	b = h.browser()
	h.signIn(b, "li")
	h.wait(8 * time.Hour)
	if !h.signedOut(b) {
		t.Error("a session lives unused for 8 h")
	}
	h.clock.Store(time.Now().Unix())
	b = h.browser()
	h.signIn(b, "li")
	h.wait(7 * time.Hour)
	h.whoami(b)
	h.wait(-2 * time.Hour)
	if !h.signedOut(b) {
		t.Error("a clock that was set back makes a session longer")
	}
}

func TestSessionsAreSeenAndEndedByTheirOwnerAndByAdmins(t *testing.T) {
	h := newHouse(t)
	mine, lost, other, admin := h.browser(), h.browser(), h.browser(), h.browser()
	li, wei, root := h.signIn(mine, "li"), h.signIn(other, "wei"), h.signIn(admin, "admin")
	gone := h.signIn(lost, "li")
	list := func(b *browser, path string) []contract.Session {
		t.Helper()
		status, data := h.ask(b, "GET", path, nil)
		var l contract.SessionList
		if err := json.Unmarshal(data, &l); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, data)
		}
		return l.Sessions
	}
	if l := list(mine, "/v1/auth/sessions"); len(l) != 2 || l[0].Person != li.Person || l[0].Current == l[1].Current {
		t.Errorf("%+v", l)
	}
	if status, _ := h.ask(mine, "GET", "/v1/auth/sessions?all=true", nil); status != http.StatusForbidden {
		t.Errorf("everybody's sessions are shown: %d", status)
	}
	if l := list(admin, "/v1/auth/sessions?all=true"); len(l) != 4 {
		t.Errorf("%+v", l)
	}
	if status, _ := h.ask(mine, "DELETE", "/v1/auth/sessions/"+wei.Id, nil, h.ours(li)...); status != http.StatusNotFound || h.signedOut(other) {
		t.Errorf("somebody else's session was ended: %d", status)
	}
	if status, _ := h.ask(mine, "DELETE", "/v1/auth/sessions/"+gone.Id, nil, h.ours(li)...); status != http.StatusNoContent || !h.signedOut(lost) {
		t.Errorf("one's own session was not ended: %d", status)
	}
	if status, _ := h.ask(admin, "DELETE", "/v1/auth/sessions/"+li.Id, nil, h.ours(root)...); status != http.StatusNoContent || !h.signedOut(mine) {
		t.Errorf("an admin did not end a session: %d", status)
	}
}

func TestRestartKeepsSessionsAndItsGrantsCount(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	li := h.signIn(b, "li")
	h.stop()
	h.start()
	again := h.whoami(b)
	if again.Id != li.Id || *again.Csrf != *li.Csrf {
		t.Errorf("%+v", again)
	}
	h.stop()
	h.grants = []config.Grant{{Group: "release-managers", Role: "viewer"}, {Group: "admins", Role: "admin"}}
	h.start()
	if c := h.whoami(b); len(c.Permissions) != 1 {
		t.Errorf("a grant that was taken back is kept: %v", c.Permissions)
	}
	h.stop()
	h.grants = []config.Grant{{Group: "admins", Role: "admin"}}
	h.start()
	if !h.signedOut(b) {
		t.Error("a session without any grant lives on")
	}
}

func TestSessionsOfAFormerProviderAreOver(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.signIn(b, "li")
	other, err := startProvider()
	h.must(err)
	h.stop()
	h.idp = other
	h.start()
	if !h.signedOut(b) {
		t.Error("a session that another provider vouched for lives on")
	}
}

func TestLedgerHoldsNoSecretOfPeople(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	li := h.signIn(b, "li")
	q := b.get(h.http.URL + "/v1/auth/login").next(t).Query()
	secrets := []string{
		h.holds(b, "__Host-candor-session"), h.holds(b, "__Host-candor-login"), *li.Csrf, q.Get("state"), q.Get("nonce"),
	}
	files, err := filepath.Glob(filepath.Join(h.dir, "ledger.db*"))
	h.must(err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		h.must(err)
		for i, s := range secrets {
			raw, ok := rawSecret(s)
			if !ok || bytes.Contains(data, []byte(s)) || bytes.Contains(data, raw) {
				t.Errorf("%s holds secret %d (%q)", filepath.Base(name), i, s)
			}
		}
	}
	if log := h.log.String(); strings.Contains(log, secrets[0]) || strings.Contains(log, q.Get("state")) {
		t.Error("the log holds a secret")
	}
}

// rawSecret is what the text of a secret stands for.
func rawSecret(text string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return raw, err == nil && len(raw) == 32
}

func TestPlainLoopbackHasPlainCookies(t *testing.T) {
	h := newHouse(t, func(w *world) { w.plain = true })
	b := h.browser()
	p := b.get(h.begin(b, "li").String())
	c := cookieNamed(p.header, "candor-session")
	if c == nil || c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Fatalf("%+v", c)
	}
	h.whoami(b)
}

func TestProviderThatIsDownStopsOnlySigningIn(t *testing.T) {
	h := newHouse(t)
	h.idp.lie.Store(&lies{down: true})
	b := h.browser()
	if p := b.get(h.http.URL + "/v1/auth/login"); p.status != http.StatusServiceUnavailable || p.header.Get("Retry-After") == "" || !strings.Contains(p.body, "tokens and sessions work") {
		t.Errorf("%d %s", p.status, p.body)
	}
	get[contract.ProductList](h.world, auth.Viewer, "GET", "/v1/products", nil)
	h.idp.lie.Store(&lies{})
	h.signIn(b, "li")
	other := h.browser()
	back := h.begin(other, "li")
	h.idp.lie.Store(&lies{down: true})
	if p := other.get(back.String()); p.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", p.status, p.body)
	}
	h.whoami(b)
}

func TestProviderThatMovesItsAddressesOffTLSIsNotUsed(t *testing.T) {
	h := newHouse(t)
	for _, field := range []string{"token_endpoint", "authorization_endpoint", "jwks_uri"} {
		h.idp.lie.Store(&lies{metadata: func(d map[string]any) { d[field] = strings.Replace(d[field].(string), "https:", "http:", 1) }})
		if p := h.browser().get(h.http.URL + "/v1/auth/login"); p.status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", field, p.status)
		}
	}
	h.idp.lie.Store(&lies{metadata: func(d map[string]any) { d["issuer"] = "https://elsewhere.example" }})
	if p := h.browser().get(h.http.URL + "/v1/auth/login"); p.status != http.StatusServiceUnavailable {
		t.Errorf("another issuer: %d", p.status)
	}
}

func TestSigningInIsOffUntilItIsConfigured(t *testing.T) {
	w := newWorld(t)
	w.refused(404, contract.CodeNotFound, "", "GET", "/v1/auth/login", nil)
	w.refused(404, contract.CodeNotFound, "", "GET", "/v1/auth/callback?code=x&state=y", nil)
	w.refused(401, contract.CodeUnauthorized, "", "GET", "/v1/auth/session", nil, "Cookie", "candor-session="+strings.Repeat("A", 43))
}
