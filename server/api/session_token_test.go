package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
)

// tokens is a world without a provider, in which people sign in with tokens.
type tokens struct{ *world }

func withTokens(t testing.TB, with ...func(*world)) *tokens {
	t.Helper()
	return &tokens{newWorld(t, append([]func(*world){func(w *world) {
		w.plain = true
		w.people = func(w *world, _ string) *auth.People {
			f := config.File{Listen: config.DefaultListen, Admin: config.DefaultAdmin}
			w.must(f.Validate())
			p, err := f.People(w.ledger, w.now)
			w.must(err)
			return p
		}
	}}, with...)...)}
}

func (h *tokens) newBrowser() *browser { return newBrowser(h.t, h.http.Client()) }

// sends a token as a script on one of our pages does.
func (h *tokens) sends(b *browser, token string, header ...string) (int, http.Header, []byte) {
	h.t.Helper()
	return h.exchange(b.http, "POST", "/v1/auth/token", map[string]string{"token": token}, append([]string{"Origin", h.http.URL, "Sec-Fetch-Site", "same-origin"}, header...)...)
}

func (h *tokens) tokenSignIn(b *browser, token string) contract.Caller {
	h.t.Helper()
	if status, _, data := h.sends(b, token); status != http.StatusNoContent {
		h.t.Fatalf("%d %s", status, data)
	}
	status, _, data := h.exchange(b.http, "GET", "/v1/auth/session", nil)
	var c contract.Caller
	if err := json.Unmarshal(data, &c); err != nil || status != http.StatusOK {
		h.t.Fatalf("session: %d %s", status, data)
	}
	return c
}

func (h *tokens) out(b *browser) bool {
	h.t.Helper()
	status, _, _ := h.exchange(b.http, "GET", "/v1/auth/session", nil)
	return status == http.StatusUnauthorized
}

func (h *tokens) token(n auth.NewToken) (id, secret string) {
	h.t.Helper()
	n.By = "test"
	id, secret, err := auth.Create(ctx, h.ledger, n, h.now())
	h.must(err)
	return id, secret
}

func TestATokenBeginsASessionOfItsOwner(t *testing.T) {
	h := withTokens(t)
	id, secret := h.token(auth.NewToken{Name: "li's laptop", Role: auth.Operator, Owner: "local:li", Scope: []auth.Permission{auth.Read, auth.Halt}, Expires: h.now().Add(2 * time.Hour)})
	b := h.newBrowser()
	c := h.tokenSignIn(b, secret)
	if c.Kind != contract.CallerKindSession || c.Person != "local:li" || c.Token == nil || *c.Token != id || c.Csrf == nil || c.Id == id || len(c.Permissions) != 2 {
		t.Errorf("%+v", c)
	}
	if !c.Expires.Equal(h.now().Add(2 * time.Hour)) {
		t.Errorf("it outlives its token: %s", c.Expires)
	}
	status, _, data := h.exchange(b.http, "POST", "/v1/rollouts", plan(42), "Origin", h.http.URL, "X-CSRF-Token", *c.Csrf)
	if status != http.StatusForbidden {
		t.Errorf("the session does what the scope forbids: %d %s", status, data)
	}
	if status, _, data := h.exchange(b.http, "POST", "/v1/auth/logout", nil, "X-CSRF-Token", *c.Csrf); status != http.StatusForbidden {
		t.Errorf("a change without an origin: %d %s", status, data)
	}
	var l contract.SessionList
	_, _, data = h.exchange(b.http, "GET", "/v1/auth/sessions", nil)
	h.must(json.Unmarshal(data, &l))
	if len(l.Sessions) != 1 || l.Sessions[0].Token == nil || *l.Sessions[0].Token != id || !l.Sessions[0].Current || !l.Sessions[0].Expires.Equal(h.now().Add(2*time.Hour)) {
		t.Errorf("%s", data)
	}
	entries, err := h.ledger.Entries(ctx, store.EntryQuery{Subject: c.Id})
	h.must(err)
	if len(entries) != 1 || entries[0].What != "auth.sign-in" || !strings.Contains(entries[0].Who, "session of token "+id+" of local:li") {
		t.Errorf("%+v", entries)
	}
	if status, _, _ := h.exchange(b.http, "POST", "/v1/auth/logout", nil, "Origin", h.http.URL, "X-CSRF-Token", *c.Csrf); status != http.StatusNoContent || !h.out(b) {
		t.Errorf("sign-out: %d", status)
	}
}

func TestASessionEndsWithItsToken(t *testing.T) {
	h := withTokens(t)
	id, revoked := h.token(auth.NewToken{Name: "a", Role: auth.Operator})
	_, short := h.token(auth.NewToken{Name: "b", Role: auth.Operator, Expires: h.now().Add(time.Hour)})
	first, second := h.newBrowser(), h.newBrowser()
	h.tokenSignIn(first, revoked)
	h.tokenSignIn(second, short)
	h.must(h.ledger.RevokeToken(ctx, id, store.Entry{At: h.now(), Who: "test", What: "token.revoke", Subject: id}))
	if !h.out(first) {
		t.Error("a session outlives the revocation of its token")
	}
	if h.out(second) {
		t.Error("another token's session is over too")
	}
	h.wait(time.Hour)
	if !h.out(second) {
		t.Error("a session outlives its token")
	}
	for _, dead := range []string{revoked, short, "candor_" + strings.Repeat("A", 43), "x"} {
		if status, header, _ := h.sends(h.newBrowser(), dead); status != http.StatusUnauthorized || header.Get("Set-Cookie") != "" {
			t.Errorf("a dead token begins a session: %d %v", status, header)
		}
	}
	if l := get[contract.SessionList](h.world, auth.Admin, "GET", "/v1/auth/sessions?all=true", nil); len(l.Sessions) != 0 {
		t.Errorf("dead sessions are listed: %+v", l)
	}
}

func TestSessionsThatAreOverAreNotListed(t *testing.T) {
	h := withTokens(t)
	used, left := h.newBrowser(), h.newBrowser()
	h.tokenSignIn(used, h.tokens[auth.Viewer])
	h.tokenSignIn(left, h.tokens[auth.Operator])
	listed := func() int {
		t.Helper()
		people := 0
		for _, p := range get[contract.PeopleList](h.world, auth.Admin, "GET", "/v1/people", nil).People {
			people += p.Sessions
		}
		n := len(get[contract.SessionList](h.world, auth.Admin, "GET", "/v1/auth/sessions?all=true", nil).Sessions)
		if people != n {
			t.Errorf("%d sessions are listed, %d are people's", n, people)
		}
		return n
	}
	for _, step := range []struct {
		hours, want int
		why         string
	}{
		{0, 2, "both have begun"},
		{5, 2, "both may be idle so long"},
		{4, 1, "the other one was not used for 9 hours"},
		{7, 1, "it is used"},
		{7, 1, "it is used"},
		{2, 0, "25 hours are the end, used or not"},
	} {
		h.wait(time.Duration(step.hours) * time.Hour)
		if n := listed(); n != step.want {
			t.Errorf("%d sessions are listed, not %d: %s", n, step.want, step.why)
		}
		if h.out(used) != (step.want == 0) {
			t.Errorf("the session that is used: %s", step.why)
		}
	}
}

func TestSigningInBeginsOnOurOwnPagesOnly(t *testing.T) {
	h := withTokens(t)
	port := h.http.URL[strings.LastIndex(h.http.URL, ":"):]
	for name, header := range map[string][]string{
		"nothing said":           {"Origin", "", "Sec-Fetch-Site", ""},
		"another site":           {"Origin", "https://evil.example"},
		"another port":           {"Origin", "http://127.0.0.1:1"},
		"another scheme":         {"Origin", "https://127.0.0.1" + port},
		"another name":           {"Origin", "http://localhost" + port},
		"no origin in a frame":   {"Origin", "null"},
		"a name that leads here": {"Origin", "http://evil.example" + port, "Host", "evil.example" + port},
		"from another site":      {"Sec-Fetch-Site", "cross-site"},
		"from a sibling":         {"Sec-Fetch-Site", "same-site"},
	} {
		status, got, data := h.sends(h.newBrowser(), h.tokens[auth.Admin], header...)
		if status != http.StatusForbidden || !strings.Contains(string(data), contract.CodeForeignRequest) || got.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", name, status, data)
		}
	}
}

func TestASessionOfATokenHasASecretOfItsOwn(t *testing.T) {
	h := withTokens(t)
	b := h.newBrowser()
	planted := strings.Repeat("A", 43)
	_, header, _ := h.sends(b, h.tokens[auth.Admin], "Cookie", "candor-session="+planted)
	first := cookieNamed(header, "candor-session")
	if first == nil || first.Value == planted || len(first.Value) != 43 || !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Path != "/" {
		t.Fatalf("%+v", first)
	}
	ask := func(cookie string) int {
		status, _, _ := h.exchange(h.http.Client(), "GET", "/v1/auth/session", nil, "Cookie", "candor-session="+cookie)
		return status
	}
	if ask(planted) != http.StatusUnauthorized || ask(first.Value) != http.StatusOK {
		t.Error("the planted cookie opens the session, or the new one does not")
	}
	h.sends(b, h.tokens[auth.Viewer])
	if ask(first.Value) != http.StatusUnauthorized {
		t.Error("the session before signing in again lives on")
	}
	if ask(h.tokens[auth.Admin]) != http.StatusUnauthorized || ask(strings.TrimPrefix(h.tokens[auth.Admin], "candor_")) != http.StatusUnauthorized {
		t.Error("a token is a cookie")
	}
}

func TestWrongTokensCostTriesWhereOneSignsIn(t *testing.T) {
	h := withTokens(t)
	last := 0
	for range 25 {
		last, _, _ = h.sends(h.newBrowser(), "candor_"+strings.Repeat("A", 43))
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the 25th wrong token: %d", last)
	}
	if status, _, _ := h.call(auth.Viewer, "GET", "/v1/auth/session", nil); status != http.StatusTooManyRequests {
		t.Errorf("bearers have tries of their own: %d", status)
	}
}

func TestWithoutAProviderItsSessionsAreOver(t *testing.T) {
	h := withTokens(t)
	s := store.Session{ID: "a", Person: "https://id.example.org#li", Issuer: "https://id.example.org", Name: "Li", Groups: []string{"admins"}, Created: h.now(), Seen: h.now(), Expires: h.now().Add(time.Hour)}
	secret := strings.Repeat("B", 42) + "A"
	raw, ok := rawSecret(secret)
	if !ok {
		t.Fatal("not a secret")
	}
	s.Hash = manifests.SumSHA256(raw)
	h.must(h.ledger.AddSession(ctx, s, store.Entry{At: h.now(), Who: "test", What: "auth.sign-in"}))
	if status, _, _ := h.exchange(h.http.Client(), "GET", "/v1/auth/session", nil, "Cookie", "candor-session="+secret); status != http.StatusUnauthorized {
		t.Errorf("a session of a provider that is no more: %d", status)
	}
}

func TestWaysSayHowOneSignsIn(t *testing.T) {
	h := withTokens(t)
	if w := get[contract.Ways](h.world, "", "GET", "/v1/auth/ways", nil); w.Oidc || !w.Token || w.Provider != nil {
		t.Errorf("%+v", w)
	}
	house := newHouse(t)
	if w := get[contract.Ways](house.world, "", "GET", "/v1/auth/ways", nil); !w.Oidc || !w.Token || w.Provider == nil || *w.Provider != "127.0.0.1" {
		t.Errorf("%+v", w)
	}
}

func TestPeopleAreListedWithWhatTheyHold(t *testing.T) {
	h := withTokens(t)
	id, _ := h.token(auth.NewToken{Name: "old", Role: auth.Viewer, Owner: "local:li"})
	h.must(h.ledger.RevokeToken(ctx, id, store.Entry{At: h.now(), Who: "test", What: "token.revoke", Subject: id}))
	_, secret := h.token(auth.NewToken{Name: "new", Role: auth.Viewer, Owner: "local:li"})
	h.tokenSignIn(h.newBrowser(), secret)
	for _, p := range get[contract.PeopleList](h.world, auth.Admin, "GET", "/v1/people", nil).People {
		if p.Person == "local:li" {
			if p.Name != "li" || p.Sessions != 1 || p.Tokens != 1 || p.Seen == nil {
				t.Errorf("%+v", p)
			}
			return
		}
	}
	t.Error("li is not there")
}

func TestSystemSaysWhoServesAndWhatWaits(t *testing.T) {
	w := ready(t, 42)
	s := get[contract.System](w, auth.Viewer, "GET", "/v1/system", nil)
	if len(s.Servers) != 1 || !s.Servers[0].Here || s.Published == nil || s.Published.Snapshot < 1 || s.Published.Timestamp < 1 || *s.Published.Behind != 0 ||
		s.Publisher == nil || *s.Publisher != s.Servers[0].Id || s.Audit == nil || s.Audit.Seq == 0 || s.Streams == nil {
		t.Errorf("%+v", s)
	}
	for _, p := range s.Parts {
		if !p.Ok || p.Sentence == "" {
			t.Errorf("%+v", p)
		}
	}
	names := map[string]bool{}
	for _, q := range s.Queues {
		names[q.Name] = q.Width > 0
	}
	if !names["live"] || !names["actions"] || !names["operators"] {
		t.Errorf("%v", names)
	}
}
