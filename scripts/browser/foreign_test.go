package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/browser"
)

// foreign is a page of somebody else, reached by names of three kinds: another
// host, another site on the same machine, and another port of the same host,
// which browsers take for the same site and send its cookies to.
func foreign(t *testing.T) (origins []string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if _, err := w.Write([]byte("<!doctype html><title>elsewhere</title><p>elsewhere")); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(t, err)
	return []string{"http://evil.test:" + u.Port(), "http://localhost:" + u.Port(), "http://127.0.0.1:" + u.Port()}
}

// aim is a request that a foreign page tries to have sent.
type aim struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Fields map[string]string `json:"fields"`
}

// attack sends a request by every means that a page has to send something to
// another origin.
const attack = `async (aims) => {
	const soon = ms => new Promise(done => setTimeout(done, ms));
	const one = async (a) => {
		const waits = [];
		const frame = () => {
			const f = document.createElement('iframe');
			f.name = 'f' + Math.random();
			document.body.append(f);
			return f;
		};
		const loaded = f => Promise.race([new Promise(done => f.addEventListener('load', () => { f.remove(); done(); })), soon(4000)]);
		const json = JSON.stringify(a.fields);
		for (const enctype of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
			if (a.method === 'GET') break;
			const f = frame();
			const form = document.createElement('form');
			Object.assign(form, {action: a.url, method: 'POST', enctype, target: f.name});
			const fields = enctype === 'text/plain' ? {[json.slice(0, -1) + ',"x":"']: '"}'} : a.fields;
			for (const [name, value] of Object.entries(fields)) {
				const input = document.createElement('input');
				Object.assign(input, {type: 'hidden', name, value});
				form.append(input);
			}
			document.body.append(form);
			waits.push(loaded(f));
			form.submit();
		}
		const tell = (mode, type, method) => fetch(a.url, {
			method, mode, credentials: 'include', headers: type ? {'Content-Type': type} : {}, body: method === 'GET' ? undefined : json,
		}).then(r => r.text().then(t => mode === 'cors' ? a.method + ' ' + a.url + ' was read: ' + t.slice(0, 80) : ''), () => '');
		waits.push(tell('cors', 'application/json', a.method));
		if (a.method !== 'GET') {
			waits.push(tell('no-cors', 'text/plain', 'POST'), tell('no-cors', 'application/x-www-form-urlencoded', 'POST'));
			waits.push(tell('cors', 'text/plain', 'POST'));
			navigator.sendBeacon(a.url, new Blob([json], {type: 'text/plain'}));
		} else {
			const img = new Image();
			img.src = a.url;
			const f = frame();
			waits.push(loaded(f));
			f.src = a.url;
		}
		return (await Promise.all(waits)).filter(x => typeof x === 'string' && x);
	};
	return (await Promise.all(aims.map(one))).flat();
}`

// atOneGo is how many requests are tried at once, by all means.
const atOneGo = 6

// tried has a foreign page send requests by every means, and gives what it could
// read of the answers.
func tried(evil *browser.Page, aims []aim) (read []string, err error) {
	for some := range slices.Chunk(aims, atOneGo) {
		list, err := json.Marshal(some)
		if err != nil {
			return nil, err
		}
		lines, err := browser.Eval[[]string](evil, "("+attack+")("+string(list)+")")
		if err != nil {
			return nil, err
		}
		read = append(read, lines...)
	}
	return read, nil
}

// A page of somebody else can have a browser send whatever it likes; nothing
// changes by it, and nothing of ours can be read or framed.
func TestForeignPagesChangeAndReadNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.release(42, atOnce)
	r, err := s.Open(t.Context(), plan(42, rollout.Stage{Share: manifests.WholeFleet}))
	must(t, err)
	victim := s.as("adam", "/v1/auth/session", "favicon")
	aims := s.aims(r.ID, s.sessionOf(victim))
	if len(aims) < 60 {
		t.Fatalf("only %d requests to try", len(aims))
	}
	before := s.audit()
	t.Run("from", func(t *testing.T) {
		for _, origin := range foreign(t) {
			t.Run(origin, func(t *testing.T) {
				t.Parallel()
				s.in(t).attacked(victim, origin, aims)
			})
		}
	})
	after := s.audit()
	for _, line := range after[min(len(before), len(after)):] {
		t.Errorf("recorded meanwhile: %s", line)
	}
	if now, err := s.Look(t.Context(), r.ID); err != nil || now.State != "active" {
		t.Errorf("the rollout is %+v, %v", now, err)
	}
	must(t, victim.Open(s.front.url+"/v1/auth/session"))
	if _, err := victim.Says(`"name":"Adam Admin`); err != nil {
		t.Errorf("the victim is somebody else now: %v", err)
	}
}

// attacked opens a page of an origin beside the victim's, and has it try all it
// can.
func (s *site) attacked(victim *browser.Page, origin string, aims []aim) {
	s.t.Helper()
	evil := s.beside(victim, ".")
	must(s.t, evil.Open(origin+"/"))
	read, err := tried(evil, aims)
	must(s.t, err)
	for _, line := range read {
		s.t.Errorf("from %s: %s", origin, line)
	}
	problems := strings.Join(evil.Take(), "\n")
	if strings.HasPrefix(origin, "http://127.0.0.1") && !strings.Contains(problems, "403") {
		s.t.Errorf("from %s, whose requests carry the cookie, nothing was refused:\n%s", origin, problems)
	}
	s.unframed(evil, origin)
	s.deaf(evil, origin)
}

// unframed demands that no page of ours is shown in a frame of theirs.
func (s *site) unframed(evil *browser.Page, origin string) {
	s.t.Helper()
	for _, path := range []string{"/", "/plain", "/rollouts", "/v1/auth/login"} {
		evil.Take()
		_, err := browser.Eval[bool](evil, fmt.Sprintf(`new Promise(done => {
			const f = document.createElement('iframe');
			f.addEventListener('load', () => done(true));
			f.src = %q;
			document.body.append(f);
		})`, s.front.url+path))
		must(s.t, err)
		if said := strings.Join(evil.Take(), "\n"); path != "/v1/auth/login" && !strings.Contains(said, "frame-ancestors") && !strings.Contains(said, "X-Frame-Options") {
			s.t.Errorf("%s frames %s: %q", origin, path, said)
		}
	}
}

// deaf sends messages to a window of ours, which has nothing to do with who
// opened it.
func (s *site) deaf(evil *browser.Page, origin string) {
	s.t.Helper()
	severed, err := browser.Eval[bool](evil, fmt.Sprintf(`new Promise(done => {
		const w = window.open(%q, 'ours');
		const tries = setInterval(() => {
			try { for (const m of ['halt', {type: 'halt'}, {action: 'halt', method: 'POST'}, '{"type":"changed"}']) w.postMessage(m, '*'); } catch {}
			if (w.closed) { clearInterval(tries); done(true); }
		}, 100);
		setTimeout(() => { clearInterval(tries); done(w.closed); w.close(); }, 3000);
	})`, s.front.url+"/"))
	must(s.t, err)
	if !severed {
		s.t.Errorf("%s keeps hold of a window of ours that it opened (Cross-Origin-Opener-Policy)", origin)
	}
}

// Somebody who is signed in nowhere is not signed in by a foreign page either,
// as whoever made it.
func TestForeignPagesSignNobodyIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, origin := range foreign(t) {
		p := s.person(".")
		must(t, p.Open(origin+"/"))
		_, err := tried(p, []aim{
			{Method: "POST", URL: s.front.url + "/v1/auth/token", Fields: map[string]string{"token": s.Token, "next": "/"}},
			{Method: "GET", URL: s.front.url + "/v1/auth/callback?state=a&code=b"},
		})
		must(t, err)
		must(t, p.Open(s.front.url+"/v1/auth/session"))
		if _, err := p.Says(`unauthorized`); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

// aims are all requests of the contract that a browser's session may send, with
// what it takes for each to be understood.
func (s *site) aims(id, session string) (aims []aim) {
	s.t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract.Spec)
	must(s.t, err)
	var events struct {
		Events []struct{ ID string } `json:"events"`
	}
	must(s.t, s.Call(s.t.Context(), http.MethodGet, "/v1/events?all=true", nil, &events))
	var tokens struct {
		Tokens []struct{ ID string } `json:"tokens"`
	}
	must(s.t, s.Call(s.t.Context(), http.MethodGet, "/v1/api-tokens", nil, &tokens))
	for path, item := range doc.Paths.Map() {
		which := session
		switch {
		case strings.HasPrefix(path, "/v1/rollouts"):
			which = id
		case strings.HasPrefix(path, "/v1/events"):
			which = events.Events[0].ID
		case strings.HasPrefix(path, "/v1/api-tokens"):
			which = tokens.Tokens[0].ID
		case strings.HasSuffix(path, "/watch"), path == "/v1/live", path == "/v1/auth/login", path == "/v1/auth/callback":
			continue // a stream without an end, and what TestForeignPagesSignNobodyIn tries
		}
		actions := []string{""}
		if p := item.Parameters.GetByInAndName("path", "action"); p != nil {
			actions = nil
			for _, a := range p.Schema.Value.Enum {
				actions = append(actions, a.(string))
			}
		}
		for method := range item.Operations() {
			for _, a := range actions {
				at := strings.NewReplacer("{product}", string(product), "{build}", "42", "{id}", which, "{deviceKey}", strings.Repeat("0", 64), "{action}", a).Replace(path)
				aims = append(aims, aim{Method: method, URL: s.front.url + at, Fields: map[string]string{
					"reason": "a foreign page", "name": "foreign", "role": "admin", "text": "foreign", "token": s.Token,
				}})
			}
		}
	}
	for _, action := range []string{"halt", "pause"} {
		aims = append(aims, aim{Method: "POST", URL: s.front.url + "/plain/rollouts/" + id + "/" + action, Fields: map[string]string{"reason": "foreign"}})
	}
	slices.SortFunc(aims, func(a, b aim) int { return strings.Compare(a.Method+a.URL, b.Method+b.URL) })
	return aims
}

// sessionOf is the id of the session of a page.
func (s *site) sessionOf(p *browser.Page) string {
	s.t.Helper()
	text, err := p.Says(`\{.*\}`)
	must(s.t, err)
	var me struct{ ID string }
	must(s.t, json.Unmarshal([]byte(text), &me))
	return me.ID
}

// audit are the entries of the audit log, one line each.
func (s *site) audit() (lines []string) {
	s.t.Helper()
	var all []byte
	must(s.t, s.Call(s.t.Context(), http.MethodGet, "/v1/audit/export", nil, &all))
	for line := range strings.Lines(string(all)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}
