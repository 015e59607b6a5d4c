package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/scripts/browser"
	"github.com/candor-ota/candor/scripts/world"
)

// hooks are what a hostile string would call, in every document from its
// beginning.
const hooks = `window.hits = [];
for (const name of ['pwn', 'alert', 'confirm', 'prompt', 'print']) window[name] = x => { window.hits.push(name + ' ' + x); };
for (const name of ['log', 'info', 'debug', 'warn', 'error', 'trace']) {
	const was = console[name];
	console[name] = (...x) => { window.hits.push('console.' + name + ' ' + x.join(' ')); was.apply(console, x); };
}
window.addEventListener('securitypolicyviolation', e => window.hits.push('policy ' + e.effectiveDirective + ' ' + e.blockedURI + ' ' + e.sample));
window.stranger = false;`

// wary opens a browser that notices when a string becomes more than text.
func (s *site) wary(login string, but ...string) *browser.Page {
	s.t.Helper()
	p := s.as(login, "/", append(but, hostileAnswers)...)
	_, err := browser.Send(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: hooks})
	must(s.t, err)
	p.Forget() // the provider's pages ask for fonts of others
	return p
}

// An address that names nothing is answered with a refusal, which the page shows.
const hostileAnswers = `^request: GET \S+: (400|404|422)$`

// harmless demands that nothing on a page ran, asked, moved or overflowed.
func (s *site) harmless(p *browser.Page, where string) string {
	s.t.Helper()
	must(s.t, p.Until(where+" to be shown", func() (bool, error) {
		return browser.Eval[bool](p, settled)
	}))
	found, err := browser.Eval[[]string](p, `(() => {
		const found = [...(window.hits || ['no hooks'])];
		if (location.origin !== `+fmt.Sprintf("%q", s.front.url)+`) found.push('moved to ' + location.href);
		if (document.querySelector('main script, main iframe, main object, main embed, main base, main link, main meta, main style')) found.push('an element was made of text');
		for (const e of document.querySelectorAll('a[href], form[action], [formaction]')) {
			const to = new URL(e.href || e.action || e.formAction, location.href);
			if (to.origin !== location.origin) found.push('a way to ' + to.href.slice(0, 100));
		}
		for (const e of document.querySelectorAll('*')) for (const a of e.attributes) if (/^on/i.test(a.name)) found.push('a handler: ' + a.name + '=' + a.value.slice(0, 60));
		const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
		if (over > 0) found.push('the page is ' + over + ' px too wide');
		return found;
	})()`)
	must(s.t, err)
	for _, f := range found {
		s.t.Errorf("%s: %s", where, f)
	}
	for _, line := range p.Sent() {
		// Chromium draws its own date fields with data:; a page of ours may not.
		if _, to, _ := strings.Cut(line, " "); !strings.HasPrefix(to, s.front.url) && !strings.HasPrefix(to, "data:image/svg+xml;base64,") {
			s.t.Errorf("%s: asked for %s", where, line)
		}
	}
	for _, words := range p.Dialogs() {
		s.t.Errorf("%s: a dialog: %s", where, words)
	}
	text, err := p.Text()
	must(s.t, err)
	return text
}

// tell posts a string to the API as somebody; what the API refuses is no string
// that a page ever shows. It may not fail on any.
func (s *site) tell(path string, body any) bool {
	s.t.Helper()
	err := s.Call(s.t.Context(), http.MethodPost, path, body, nil)
	if err != nil && !strings.Contains(err.Error(), "400 Bad Request") && !strings.Contains(err.Error(), "422 Unprocessable") {
		s.t.Errorf("%s %.80q: %v", path, body, err)
	}
	return err == nil
}

// Whatever people and submissions write is shown as what it is, everywhere.
func TestHostileTextIsTextEverywhere(t *testing.T) {
	t.Parallel()
	s := start(t)
	if n := len(hostile()); n < 100 {
		t.Fatalf("only %d hostile strings", n)
	}
	said, long := s.furnishHostile()
	if len(said) < 100 {
		t.Errorf("only %d hostile strings were accepted as reasons", len(said))
	}
	for i := range hostileNames() {
		s.signIn(s.person("."), fmt.Sprintf("mallory%d", i), "/v1/auth/session")
	}
	p := s.wary("adam")
	shown := ""
	for _, path := range s.addresses() {
		must(t, p.Open(s.front.url+path))
		if path == long {
			s.click(p, "button", "^Show the .* before$")
		}
		shown += s.harmless(p, path)
	}
	flat := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	shown = flat(shown)
	missing := 0
	for _, text := range said {
		if !strings.Contains(shown, flat(text)) {
			missing++
			t.Logf("not shown as it is: %q", text)
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d strings are not shown as they are", missing, len(said))
	}
}

// furnishHostile writes all strings into every field that takes them, and gives
// those that were taken as reasons, and the rollout on whose page they stand.
func (s *site) furnishHostile() (said []string, page string) {
	s.t.Helper()
	for i, text := range hostileReleases(s.t) {
		s.releaseOf(product, manifests.Build(42+i), text)
	}
	for i := range hostileReleases(s.t) {
		_, err := s.Open(s.t.Context(), plan(manifests.Build(42+i), rollout.Stage{Share: manifests.WholeFleet}))
		must(s.t, err)
	}
	var list struct {
		Rollouts []struct{ ID string } `json:"rollouts"`
	}
	must(s.t, s.Call(s.t.Context(), http.MethodGet, "/v1/rollouts?open=true", nil, &list))
	id := list.Rollouts[0].ID
	for _, h := range hostile() {
		if s.tell("/v1/rollouts/"+id+"/note", map[string]string{"reason": h}) {
			said = append(said, strings.TrimSpace(h))
		}
	}
	for _, h := range short(64) {
		s.tell("/v1/api-tokens", map[string]string{"name": h, "role": "viewer"})
	}
	s.remarkHostile(said)
	reason := ""
	for _, text := range said { // as many of them as a reason has room for
		if len(reason)+len(text) < 480 {
			reason += text + " "
		}
	}
	_, err := s.Change(s.t.Context(), id, "pause", reason)
	must(s.t, err)
	return said, "/rollouts/" + id
}

// remarkHostile opens a signing event whose release is hostile and says all
// texts about it, as many at once as a remark has room for.
func (s *site) remarkHostile(texts []string) {
	s.t.Helper()
	const build = 90
	example, err := world.Example(product, build, atOnce)
	must(s.t, err)
	must(s.t, s.SignRelease(s.t.Context(), product, build, spoil(s.t, example, `<b onclick=pwn(98)>`), s.Path("system.img")))
	proposal := filepath.Join("out", fmt.Sprintf("%s-%d.proposal.json", product, build))
	_, err = s.Exec(s.t.Context(), "signer", "event", "open", proposal, "--server", s.Server, "--token-file", "token")
	must(s.t, err)
	var events struct {
		Events []struct{ ID string } `json:"events"`
	}
	must(s.t, s.Call(s.t.Context(), http.MethodGet, "/v1/events", nil, &events))
	if len(events.Events) != 1 {
		s.t.Fatalf("%d events are open", len(events.Events))
	}
	remark := ""
	for i, text := range texts {
		if remark += text + " "; len(remark) > 1_400 || i == len(texts)-1 {
			must(s.t, s.Call(s.t.Context(), http.MethodPost, "/v1/events/"+events.Events[0].ID+"/remarks", map[string]string{"text": remark}, nil))
			remark = ""
		}
	}
}

// hostileReleases are manifests whose every text is hostile.
func hostileReleases(t *testing.T) (texts [][]byte) {
	t.Helper()
	versions := []string{`<img src=x onerror=pwn(91)>`, `"><svg onload=pwn(92)>`, "\u200f5.4.9", strings.Repeat("W", 64), "{{pwn(93)}}", "javascript:pwn(94)"}
	for i, version := range versions {
		example, err := world.Example(product, manifests.Build(42+i), atOnce)
		must(t, err)
		texts = append(texts, spoil(t, example, version))
	}
	return texts
}

// spoil writes the strings over every text for people in a manifest.
func spoil(t *testing.T, example []byte, version string) []byte {
	t.Helper()
	quote := func(text string) string {
		b, err := json.Marshal(text)
		must(t, err)
		return string(b)
	}
	var fit []string
	for _, h := range hostile() {
		if strict.CheckText("text", h) == nil && !strings.ContainsFunc(h, func(r rune) bool {
			return r == '\n' || r == 0x2028 || r == 0x2029 || r >= 0xe000 && r < 0xf900 // not in a line of YAML
		}) {
			fit = append(fit, h)
		}
	}
	all := strings.Join(fit, " ")
	if len(all) > 12_000 {
		all = strings.ToValidUTF8(all[:12_000], "")
	}
	text := string(example)
	text = text[:strings.Index(text, "fixes:")] + fmt.Sprintf(`fixes: {en: %[1]s, zh: %[1]s}
notes: {en: %[1]s, zh: %[1]s}
privacy:
  collects:
    - {data: contact-phone-numbers, purpose: {en: %[1]s, zh: %[1]s}, default: off, stored: none}
  change: {en: %[1]s, zh: %[1]s}
consent:
  required: true
  notice: {en: %[1]s, zh: %[1]s}
`, quote(all))
	begin := strings.Index(text, "version:")
	end := begin + strings.Index(text[begin:], "\n")
	return []byte(text[:begin] + "version: " + quote(version) + text[end:])
}

// addresses are all pages that show what was written, and pages at addresses
// that are hostile themselves.
func (s *site) addresses() (paths []string) {
	s.t.Helper()
	paths = s.pages()
	for i := range hostileReleases(s.t) {
		paths = append(paths, fmt.Sprintf("/products/phone/releases/%d", 42+i))
	}
	for _, h := range append([]string{`"><img src=x onerror=pwn(95)>`}, short(40)...) {
		if strings.ContainsAny(h, "\x00\x07\x1b") || strings.Trim(h, "./") == "" {
			continue // browsers send other addresses instead
		}
		q, in := url.QueryEscape(h), url.PathEscape(h)
		if strings.Contains(h, "pwn") {
			paths = append(paths, "/audit?who="+q+"&what="+q+"&subject="+q, "/rollouts?search="+q+"&product="+q, "/rollouts/"+in)
		}
	}
	for _, h := range []string{`javascript:pwn(96)`, `//evil.test/`, `"><script>pwn(97)</script>`, `/\evil.test`} {
		q, in := url.QueryEscape(h), url.PathEscape(h)
		paths = append(paths, "/products/"+in, "/products/phone/releases/"+in, "/events/"+in, "/sign-in?next="+q, "/sign-in?error="+q, "/rollouts/new?product="+q+"&build="+q, "/plain?next="+q)
	}
	return paths
}

// pages are the addresses of all pages of a site as it is.
func (s *site) pages() (paths []string) {
	s.t.Helper()
	paths = []string{"/", "/rollouts", "/rollouts/new", "/products", "/approvals", "/submit", "/keys", "/people", "/audit", "/system", "/account", "/plain"}
	var rollouts struct {
		Rollouts []struct{ ID string } `json:"rollouts"`
	}
	must(s.t, s.Call(s.t.Context(), http.MethodGet, "/v1/rollouts?limit=20", nil, &rollouts))
	for _, r := range rollouts.Rollouts {
		paths = append(paths, "/rollouts/"+r.ID)
	}
	var events struct {
		Events []struct{ ID string } `json:"events"`
	}
	must(s.t, s.Call(s.t.Context(), http.MethodGet, "/v1/events?all=true", nil, &events))
	if len(events.Events) > 0 {
		paths = append(paths, "/events/"+events.Events[0].ID)
	}
	return append(paths, "/products/"+string(product))
}
