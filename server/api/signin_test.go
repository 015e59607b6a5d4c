package api_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
)

// refusedSignIn demands that a callback ends without a session.
func (h *house) refusedSignIn(what string, b *browser, back string) {
	h.t.Helper()
	p := b.get(back)
	if p.status != http.StatusForbidden || !strings.Contains(p.body, contract.CodeSignInFailed) || cookieNamed(p.header, "__Host-candor-session") != nil {
		h.t.Errorf("%s: %d %v\n%s", what, p.status, p.header, p.body)
	}
	if list, err := h.ledger.SessionList(ctx, store.SessionQuery{}); err != nil || len(list) != 0 {
		h.t.Errorf("%s: %d sessions, %v", what, len(list), err)
	}
}

func TestCallbackOfAnotherSignInIsRefused(t *testing.T) {
	h := newHouse(t)
	with := func(back *url.URL, change func(url.Values)) string {
		u := *back
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	b := h.browser()
	back := h.begin(b, "li")
	h.refusedSignIn("no state", b, with(back, func(q url.Values) { q.Del("state") }))
	h.refusedSignIn("another state", b, with(back, func(q url.Values) { q.Set("state", strings.Repeat("A", 43)) }))
	h.refusedSignIn("another browser", h.browser(), back.String())
	victim := h.browser()
	h.begin(victim, "wei")
	h.refusedSignIn("a browser that is signing in itself", victim, back.String())
	h.refusedSignIn("no code", b, with(back, func(q url.Values) { q.Del("code") }))
	h.refusedSignIn("an attempt that has failed once", b, back.String())

	for what, change := range map[string]func(url.Values){
		"another provider": func(q url.Values) { q.Set("iss", "https://elsewhere.example") },
		"no provider":      func(q url.Values) { q.Del("iss") },
		"a made-up code":   func(q url.Values) { q.Set("code", strings.Repeat("A", 43)) },
		"a refusal":        func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") },
	} {
		b := h.browser()
		h.refusedSignIn(what, b, with(h.begin(b, "li"), change))
	}
	if strings.Contains(h.log.String(), back.Query().Get("code")) {
		t.Error("the log holds a code")
	}
}

func TestSigningInInAFrameIsRefused(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	back := h.begin(b, "li")
	for _, to := range []string{h.http.URL + "/v1/auth/login", back.String()} {
		for _, dest := range []string{"iframe", "image", "empty"} {
			r, err := http.NewRequest(http.MethodGet, to, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Dest", dest)
			if p := b.send(r); p.status != http.StatusForbidden || !strings.Contains(p.body, contract.CodeForeignRequest) || p.header["Set-Cookie"] != nil {
				t.Errorf("%s as %s: %d %v\n%s", to, dest, p.status, p.header, p.body)
			}
		}
	}
	if p := b.get(back.String()); p.status != http.StatusSeeOther {
		t.Errorf("the attempt is spent: %d\n%s", p.status, p.body)
	}
}

func TestCallbackCountsOnce(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	back := h.begin(b, "li")
	attempt := h.holds(b, "__Host-candor-login")
	if p := b.get(back.String()); p.status != http.StatusSeeOther {
		t.Fatalf("%d %s", p.status, p.body)
	}
	n, err := h.ledger.EndSessions(ctx, store.SessionQuery{}, store.Entry{At: h.now(), Who: "test", What: "test"})
	if err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	h.give(b, "__Host-candor-login", attempt)
	h.refusedSignIn("a replay", b, back.String())
}

func TestSignInThatTakesTooLongIsRefused(t *testing.T) {
	h := newHouse(t)
	h.idp.lie.Store(&lies{answer: func(map[string]any) { t.Error("the provider was asked") }})
	b := h.browser()
	back := h.begin(b, "li")
	h.wait(10 * time.Minute)
	h.refusedSignIn("10 minutes", b, back.String())
}

func TestTokenOfAnotherSignInIsRefused(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.refusedSignIn("another nonce", b, h.begin(b, "li", func(q url.Values) { q.Set("nonce", strings.Repeat("A", 43)) }).String())
	b = h.browser()
	h.refusedSignIn("no nonce", b, h.begin(b, "li", func(q url.Values) { q.Del("nonce") }).String())
	b = h.browser()
	back := h.begin(b, "li")
	h.wait(idTokenLife + 2*time.Second)
	h.refusedSignIn("expired", b, back.String())
}

func TestCodeIsWorthNothingWithoutItsVerifier(t *testing.T) {
	h := newHouse(t)
	for what, lie := range map[string]func(url.Values){
		"no verifier":      func(f url.Values) { f.Del("code_verifier") },
		"another verifier": func(f url.Values) { f.Set("code_verifier", strings.Repeat("A", 43)) },
	} {
		h.idp.lie.Store(&lies{token: lie})
		b := h.browser()
		h.refusedSignIn(what, b, h.begin(b, "li").String())
	}
	h.idp.lie.Store(&lies{})
	b := h.browser()
	where := b.walk(b.get(h.http.URL+"/v1/auth/login").next(t), "li")
	if where.Query().Get("code") == "" {
		t.Fatal(where)
	}
	p := b.get(h.http.URL + "/v1/auth/login")
	q := p.next(t).Query()
	q.Del("code_challenge")
	q.Del("code_challenge_method")
	if back := b.walk(&url.URL{Scheme: "https", Host: p.next(t).Host, Path: p.next(t).Path, RawQuery: q.Encode()}, "li"); back.Query().Get("error") == "" {
		t.Error("the provider of this test does not insist on PKCE")
	}
}

const elsewhere = "https://another.example/callback"

// idToken lets a client of a provider sign in, and gives the token.
func (h *house) idToken(p *idp, id, secret, nonce string) string {
	h.t.Helper()
	redirect := elsewhere
	verifier := strings.Repeat("v", 43)
	q := url.Values{
		"client_id": {id}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid profile email"}, "nonce": {nonce}, "state": {"x"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	u, err := url.Parse(p.issuer + "/auth?" + q.Encode())
	h.must(err)
	back := newBrowser(h.t, p.proxy.Client()).walk(u, "admin")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	r, err := http.NewRequest("POST", p.issuer+"/token", strings.NewReader(form.Encode()))
	h.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	resp, err := p.proxy.Client().Do(r)
	h.must(err)
	defer resp.Body.Close()
	var out struct {
		Token string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Token == "" {
		h.t.Fatalf("%s, %v", resp.Status, err)
	}
	return out.Token
}

func TestTokenOfAnotherClientOrProviderIsRefused(t *testing.T) {
	h := newHouse(t)
	refuse := func(what string, theirs func(nonce string) string) {
		t.Helper()
		b := h.browser()
		first := b.get(h.http.URL + "/v1/auth/login").next(t)
		token := theirs(first.Query().Get("nonce"))
		back := b.walk(first, "li")
		h.idp.lie.Store(&lies{answer: func(d map[string]any) { d["id_token"] = token }})
		h.refusedSignIn(what, b, back.String())
		h.idp.lie.Store(&lies{})
	}
	refuse("another client", func(nonce string) string {
		id, secret := h.idp.register(t, elsewhere)
		return h.idToken(h.idp, id, secret, nonce)
	})
	// All of these providers sign with the same keys.
	ours := h.browser().get(h.http.URL + "/v1/auth/login").next(t).Query().Get("client_id")
	other, err := startProvider(client{ours, "secret", []string{elsewhere}})
	h.must(err)
	refuse("another provider, for a client of our name", func(nonce string) string { return h.idToken(other, ours, "secret", nonce) })
}

func TestTokenThatIsNotSignedIsRefused(t *testing.T) {
	h := newHouse(t)
	plain := base64.RawURLEncoding
	forge := func(change func(header, claims map[string]any), keep bool) func(map[string]any) {
		return func(d map[string]any) {
			parts := strings.Split(d["id_token"].(string), ".")
			var header, claims map[string]any
			for i, into := range []*map[string]any{&header, &claims} {
				data, err := plain.DecodeString(parts[i])
				h.must(err)
				h.must(json.Unmarshal(data, into))
			}
			change(header, claims)
			for i, from := range []map[string]any{header, claims} {
				data, err := json.Marshal(from)
				h.must(err)
				parts[i] = plain.EncodeToString(data)
			}
			if !keep {
				parts[2] = ""
			}
			d["id_token"] = strings.Join(parts, ".")
		}
	}
	for what, lie := range map[string]func(map[string]any){
		"no token":       func(d map[string]any) { delete(d, "id_token") },
		"no signature":   forge(func(header, _ map[string]any) { header["alg"] = "none" }, false),
		"another group":  forge(func(_, claims map[string]any) { claims["groups"] = []string{"admins"} }, true),
		"the client key": forge(func(header, _ map[string]any) { header["alg"] = "HS256" }, true),
	} {
		h.idp.lie.Store(&lies{answer: lie})
		b := h.browser()
		h.refusedSignIn(what, b, h.begin(b, "li").String())
	}
}

func TestProviderSendsBackToTheExactAddressOnly(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	where := b.get(h.http.URL + "/v1/auth/login").next(t)
	q := where.Query()
	q.Set("redirect_uri", h.http.URL+config.CallbackPath+"/x")
	where.RawQuery = q.Encode()
	if p := b.get(where.String()); p.next(t) != nil || p.status != http.StatusBadRequest {
		t.Errorf("%d %v", p.status, p.header)
	}
}
