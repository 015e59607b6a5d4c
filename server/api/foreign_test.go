package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

// challenge is PKCE's S256.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestForeignPagesCannotActForSomebody(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	li := h.signIn(b, "li")
	other := h.signIn(h.browser(), "li")
	token, origin := *li.Csrf, h.http.URL
	for what, header := range map[string][]string{
		"nothing":                         nil,
		"no token":                        {"Origin", origin},
		"no origin":                       {"X-CSRF-Token", token},
		"a foreign origin":                {"X-CSRF-Token", token, "Origin", "https://evil.example"},
		"no origin to speak of":           {"X-CSRF-Token", token, "Origin", "null"},
		"another port":                    {"X-CSRF-Token", token, "Origin", origin + "1"},
		"a foreign site":                  {"X-CSRF-Token", token, "Sec-Fetch-Site", "cross-site"},
		"a sister site":                   {"X-CSRF-Token", token, "Sec-Fetch-Site", "same-site"},
		"our origin from a foreign site":  {"X-CSRF-Token", token, "Origin", origin, "Sec-Fetch-Site", "cross-site"},
		"the token of another session":    {"X-CSRF-Token", *other.Csrf, "Origin", origin},
		"an empty token":                  {"X-CSRF-Token", "", "Origin", origin},
		"the token as a field, not typed": {"Origin", origin, "Content-Type", "text/plain"},
	} {
		status, data := h.ask(b, "POST", "/v1/auth/logout", []byte("csrf="+token), append([]string{"Content-Type", "text/plain"}, header...)...)
		var p contract.Problem
		if err := json.Unmarshal(data, &p); err != nil || status != http.StatusForbidden || p.Code != contract.CodeForeignRequest {
			t.Errorf("%s: %d %s", what, status, data)
		}
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for what, c := range map[string]struct {
		body   string
		origin string
	}{
		"a form of a foreign site": {"", "https://evil.example"},
		"a stolen field":           {"csrf=" + token, "https://evil.example"},
		"a form without its field": {"", origin},
		"a form with a wrong one":  {"csrf=" + *other.Csrf, origin},
	} {
		if status, data := h.ask(b, "POST", "/v1/auth/logout", []byte(c.body), append(form, "Origin", c.origin)...); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, status, data)
		}
	}
	if h.signedOut(b) {
		t.Fatal("a refused request ended the session")
	}
	if status, data := h.ask(b, "POST", "/v1/auth/logout", []byte(url.Values{"csrf": {token}}.Encode()), append(form, "Origin", origin)...); status != http.StatusSeeOther || !h.signedOut(b) {
		t.Errorf("our own form: %d %s", status, data)
	}
	second := h.signIn(b, "li")
	if status, data := h.ask(b, "POST", "/v1/auth/logout", nil, "Sec-Fetch-Site", "same-origin", "X-CSRF-Token", *second.Csrf); status != http.StatusNoContent {
		t.Errorf("a browser that sends no Origin: %d %s", status, data)
	}
}

func TestTokenBesideACookieIsJudgedAlone(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.signIn(b, "admin")
	if status, data := h.ask(b, "GET", "/v1/products", nil, "Authorization", "Bearer candor_wrong"); status != http.StatusUnauthorized {
		t.Errorf("the cookie stood in for a wrong token: %d %s", status, data)
	}
	if status, data := h.ask(b, "GET", "/v1/products", nil, "Authorization", ""); status != http.StatusUnauthorized {
		t.Errorf("the cookie stood in for an empty header: %d %s", status, data)
	}
	body := []byte(`{"name":"x","role":"viewer"}`)
	if status, data := h.ask(b, "POST", "/v1/api-tokens", body, "Authorization", "Bearer "+h.tokens[auth.Admin]); status != http.StatusCreated {
		t.Errorf("a token was asked for an Origin: %d %s", status, data)
	}
	if status, data := h.ask(b, "POST", "/v1/api-tokens", body, "Authorization", "Bearer "+h.tokens[auth.Viewer], "Origin", h.http.URL); status != http.StatusForbidden {
		t.Errorf("the cookie lent its rights to a token: %d %s", status, data)
	}
}

func TestTwoCookiesOfOneNameAreNone(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.signIn(b, "li")
	mine := "__Host-candor-session=" + h.holds(b, "__Host-candor-session")
	for cookies, want := range map[string]int{mine: 200, mine + "; " + mine: 401, "__Host-candor-session=" + strings.Repeat("A", 43) + "; " + mine: 401} {
		if status, _, _ := h.call("", "GET", "/v1/auth/session", nil, "Cookie", cookies); status != want {
			t.Errorf("%d instead of %d", status, want)
		}
	}
}

func TestCookiesMeanNothingToHandsetsRoutes(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.signIn(b, "admin")
	for _, path := range []string{"/v1/enrolments", "/v1/enrolments/withdraw", "/v1/tokens", "/v1/votes", "/v1/lab-reports"} {
		status, header, body := h.exchange(b.http, "POST", path, []byte(`{}`))
		plain, _, same := h.call("", "POST", path, []byte(`{}`))
		if status != plain || string(body) != string(same) || header.Get("Set-Cookie") != "" || status == http.StatusForbidden {
			t.Errorf("%s: %d %s with a cookie, %d %s without", path, status, body, plain, same)
		}
	}
}
