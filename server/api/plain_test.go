package api_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/dashboard/plain"
	"github.com/candor-ota/candor/server/store"
)

// form is what a browser without script sends for a form on a page of ours.
func (h *tokens) form(b *browser, path string, fields url.Values, header ...string) page {
	h.t.Helper()
	r, err := http.NewRequest(http.MethodPost, h.http.URL+path, strings.NewReader(fields.Encode()))
	h.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", h.http.URL)
	r.Header.Set("Accept", "text/html")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.send(r)
}

var hidden = regexp.MustCompile(`name="(csrf|key)" value="([^"]*)"`)

// fields are the hidden ones of the first form on a page that halts.
func fields(p page) url.Values {
	out := url.Values{}
	_, rest, _ := strings.Cut(p.body, `class="halt"`)
	for _, m := range hidden.FindAllStringSubmatch(rest, -1) {
		if out.Get(m[1]) == "" {
			out.Set(m[1], m[2])
		}
	}
	return out
}

func TestHaltWorksWithoutScript(t *testing.T) {
	h := withTokens(t)
	h.prepare(42)
	id := h.rollout(42).Id
	h.change(id, "start", "")
	b := h.newBrowser()
	if p := b.get(h.http.URL + "/plain"); p.status != http.StatusSeeOther || p.next(t).Path != "/plain/sign-in" {
		t.Fatalf("a stranger: %d %v", p.status, p.header)
	}
	p := h.form(b, "/v1/auth/token", url.Values{"token": {"candor_" + strings.Repeat("A", 43)}, "next": {"/plain"}})
	if p.status != http.StatusUnauthorized || !strings.Contains(p.body, "not valid") || !strings.Contains(p.body, `name="token"`) {
		t.Errorf("a wrong token: %d %s", p.status, p.body)
	}
	p = h.form(b, "/v1/auth/token", url.Values{"token": {" " + h.tokens[auth.Engineer] + "\n"}, "next": {"/plain"}})
	if p.status != http.StatusSeeOther || p.next(t).Path != "/plain" {
		t.Fatalf("sign in: %d %v %s", p.status, p.header, p.body)
	}
	p = b.get(h.http.URL + "/plain")
	if p.status != http.StatusOK || !strings.Contains(p.body, "HALT phone") || !strings.Contains(p.body, "at 1 %") ||
		p.header.Get("Content-Security-Policy") != plain.Policy || strings.Contains(p.body, "<script") || strings.Contains(p.body, "style=") {
		t.Fatalf("%d %v %s", p.status, p.header, p.body)
	}
	halt := fields(p)
	for range 2 { // pressed twice
		p = h.form(b, "/plain/rollouts/"+id+"/halt", halt)
		if p.status != http.StatusSeeOther || p.next(t).Path != "/plain/rollouts/"+id {
			t.Fatalf("halt: %d %v %s", p.status, p.header, p.body)
		}
	}
	if p = b.get(h.http.URL + "/plain/rollouts/" + id); !strings.Contains(p.body, "Halted.") || !strings.Contains(p.body, plain.Reason) || !strings.Contains(p.body, "stops by") || strings.Contains(p.body, `class="halt"`) {
		t.Errorf("%d %s", p.status, p.body)
	}
	if doc := h.document(); doc.Rollouts[0].State != policy.Halted {
		t.Errorf("handsets read %s", doc.Rollouts[0].State)
	}
	entries, err := h.ledger.Entries(ctx, store.EntryQuery{Subject: id})
	h.must(err)
	n := 0
	for _, e := range entries {
		if e.What == "rollout.halt" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d halts are recorded", n)
	}
}

func TestPlainHaltIsRefusedToOthersAndToOtherSites(t *testing.T) {
	h := withTokens(t)
	h.prepare(42)
	id := h.rollout(42).Id
	h.change(id, "start", "")
	b := h.newBrowser()
	h.tokenSignIn(b, h.tokens[auth.Operator])
	good := fields(b.get(h.http.URL + "/plain"))
	for name, c := range map[string]struct {
		fields url.Values
		header []string
	}{
		"no csrf":      {url.Values{"key": {"x"}}, nil},
		"wrong csrf":   {url.Values{"csrf": {"x"}}, nil},
		"other origin": {good, []string{"Origin", "https://evil.example"}},
		"other port":   {good, []string{"Origin", "http://127.0.0.1:1"}},
		"other site":   {good, []string{"Sec-Fetch-Site", "cross-site"}},
	} {
		if p := h.form(b, "/plain/rollouts/"+id+"/halt", c.fields, c.header...); p.status != http.StatusForbidden || !strings.Contains(p.body, contract.CodeForeignRequest) {
			t.Errorf("%s: %d %s", name, p.status, p.body)
		}
	}
	viewer := h.newBrowser()
	who := h.tokenSignIn(viewer, h.tokens[auth.Viewer])
	if p := viewer.get(h.http.URL + "/plain"); strings.Contains(p.body, `class="halt"`) {
		t.Error("a viewer is shown HALT")
	}
	if p := h.form(viewer, "/plain/rollouts/"+id+"/halt", url.Values{"csrf": {*who.Csrf}}); p.status != http.StatusForbidden {
		t.Errorf("a viewer halts: %d", p.status)
	}
	if r := get[contract.Rollout](h.world, auth.Viewer, "GET", "/v1/rollouts/"+id, nil); r.State != contract.Active {
		t.Errorf("it is %s", r.State)
	}
}

// What people wrote is shown as they wrote it, and never runs.
func TestPlainPagesEscapeWhatPeopleWrote(t *testing.T) {
	h := withTokens(t)
	h.prepare(42)
	id := h.rollout(42).Id
	h.change(id, "start", "")
	b := h.newBrowser()
	h.tokenSignIn(b, h.tokens[auth.Operator])
	for _, bad := range []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "'-alert(1)-'", "{{.}}", strings.Repeat("x", 500)} {
		h.change(id, "pause", bad)
		for _, path := range []string{"/plain", "/plain/rollouts/" + id} {
			p := b.get(h.http.URL + path)
			if p.status != http.StatusOK || strings.Contains(p.body, "<script") || strings.Contains(p.body, "<img") {
				t.Errorf("%s with %q: %d %s", path, bad, p.status, p.body)
			}
		}
		h.change(id, "resume", "again")
	}
	p := b.get(h.http.URL + "/plain/sign-in?next=" + url.QueryEscape(`/x"><script>`))
	if strings.Contains(p.body, "<script>") {
		t.Error(p.body)
	}
}

func TestPlainPagesShowOnlyWhatOneMaySee(t *testing.T) {
	h := withTokens(t)
	h.prepare(42)
	id := h.rollout(42).Id
	h.change(id, "start", "")
	_, secret, err := auth.Create(ctx, h.ledger, auth.NewToken{Name: "other", Role: auth.Operator, Products: []manifests.Product{"clock"}, By: "test"}, h.now())
	h.must(err)
	b := h.newBrowser()
	h.tokenSignIn(b, secret)
	if p := b.get(h.http.URL + "/plain"); p.status != http.StatusOK || strings.Contains(p.body, "phone") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := b.get(h.http.URL + "/plain/rollouts/" + id); p.status != http.StatusForbidden || strings.Contains(p.body, "phone") {
		t.Errorf("the page of one: %d %s", p.status, p.body)
	}
	_, blind := h.token(auth.NewToken{Name: "stops", Role: auth.Operator, Scope: []auth.Permission{auth.Halt}})
	b = h.newBrowser()
	h.tokenSignIn(b, blind)
	for _, path := range []string{"/plain", "/plain/rollouts/" + id} {
		if p := b.get(h.http.URL + path); p.status != http.StatusForbidden || strings.Contains(p.body, "phone") {
			t.Errorf("%s for who may read nothing: %d %s", path, p.status, p.body)
		}
	}
}

// A form that was sent halts once: what others resume is not halted again by a
// press from before, which a browser may repeat. A new page halts anew.
func TestAPressFromBeforeHaltsNothingAgain(t *testing.T) {
	h := withTokens(t)
	h.prepare(42)
	id := h.rollout(42).Id
	h.change(id, "start", "")
	b := h.newBrowser()
	h.tokenSignIn(b, h.tokens[auth.Engineer])
	press := func(form url.Values, want contract.RolloutState) {
		t.Helper()
		if p := h.form(b, "/plain/rollouts/"+id+"/halt", form); p.status != http.StatusSeeOther {
			t.Fatalf("%d %s", p.status, p.body)
		}
		if got := h.look(id).State; got != want {
			t.Errorf("it is %s, not %s", got, want)
		}
	}
	first := fields(b.get(h.http.URL + "/plain"))
	press(first, contract.Halted)
	h.change(id, "resume", "it was the network")
	h.as(auth.Admin, id, "approve", "")
	press(first, contract.Active)
	other := h.newBrowser() // and the key of one is not the key of another
	h.tokenSignIn(other, h.tokens[auth.Operator])
	mine := fields(other.get(h.http.URL + "/plain"))
	mine.Set("key", first.Get("key"))
	b = other
	press(mine, contract.Halted)
}

// The page that says why a sign-in failed is one that others send people to.
func TestThePageOfAFailedSignInIsConfined(t *testing.T) {
	h := withTokens(t)
	for _, path := range []string{"/v1/auth/login", "/v1/auth/callback?code=x&state=y"} {
		p := h.newBrowser().get(h.http.URL + path)
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Content-Type": "text/html; charset=utf-8",
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		} {
			if got := p.header.Get(header); got != want || p.status == http.StatusOK {
				t.Errorf("%s: %d, %s is %q", path, p.status, header, got)
			}
		}
	}
}

// Whatever a page without script says, a refusal included, it is confined.
func TestPlainPagesAreConfined(t *testing.T) {
	h := withTokens(t)
	h.prepare(42)
	id := h.rollout(42).Id
	b := h.newBrowser()
	pages := map[string]page{
		"signing in":    b.get(h.http.URL + "/plain/sign-in"),
		"a wrong token": h.form(b, "/v1/auth/token", url.Values{"token": {"candor_" + strings.Repeat("A", 43)}}),
	}
	h.tokenSignIn(b, h.tokens[auth.Operator])
	for name, path := range map[string]string{"the list": "/plain", "one": "/plain/rollouts/" + id, "none": "/plain/rollouts/42-none"} {
		pages[name] = b.get(h.http.URL + path)
	}
	pages["another site"] = h.form(b, "/plain/rollouts/"+id+"/halt", url.Values{}, "Origin", "https://evil.example")
	for name, p := range pages {
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
			"Content-Type":            "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := p.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
	}
	if p := b.get(h.http.URL + plain.StyleFile); p.header.Get("X-Content-Type-Options") != "nosniff" || p.header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("the style: %v", p.header)
	}
}
