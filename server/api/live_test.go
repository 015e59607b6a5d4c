package api_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/store"
)

// stream is one of a dashboard, line by line, or why there is none.
type stream struct {
	*bufio.Scanner
	status int
	header http.Header
}

// listens opens a stream of a dashboard.
func (w *world) listens(client *http.Client, header ...string) stream {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.http.URL+"/v1/live", nil)
	w.must(err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(r)
	w.must(err)
	w.t.Cleanup(func() {
		if err := resp.Body.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return stream{bufio.NewScanner(resp.Body), resp.StatusCode, resp.Header}
}

// enough lines are far more than any stream here has; one that should have ended
// and goes on is known by them.
const enough = 1000

// until reads lines up to one that has a text in it; false at the end.
func until(lines stream, text string) bool {
	for i := 0; lines.Scan(); i++ {
		if i == enough {
			return true
		}
		if strings.Contains(lines.Text(), text) {
			return true
		}
	}
	return false
}

// serveLive has the service's streams read for, as Run does.
func (w *world) serveLive() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.api.Live.Run(ctx)
	}()
	w.t.Cleanup(func() {
		w.api.EndStreams()
		cancel()
		<-done
	})
}

func TestDashboardsAreToldOfWhatTheyMaySee(t *testing.T) {
	w := ready(t, 42)
	w.serveLive()
	_, secret, err := auth.Create(ctx, w.ledger, auth.NewToken{Name: "other", Role: auth.Viewer, Products: []manifests.Product{"clock"}, By: "test"}, w.now())
	w.must(err)
	all := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Viewer])
	if all.status != http.StatusOK || all.header.Get("Content-Type") != "text/event-stream" || all.header.Get("X-Accel-Buffering") != "no" || all.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", all.status, all.header)
	}
	other := w.listens(w.http.Client(), "Authorization", "Bearer "+secret)
	if !until(all, "event: hello") || !until(other, "event: hello") {
		t.Fatal("no greeting")
	}
	id := w.rollout(42).Id
	if !until(all, `"rollout/`+id+`"`) {
		t.Error("the change was not told")
	}
	w.api.EndStreams()
	rest := ""
	for other.Scan() {
		rest += other.Text()
	}
	if strings.Contains(rest, "phone") || strings.Contains(rest, id) || !strings.Contains(rest, "retry: ") {
		t.Errorf("who may not see the product is told %q", rest)
	}
}

func TestAStreamEndsWhenItsSessionIsRevoked(t *testing.T) {
	api.SetLiveHeartbeat(t, 10*time.Millisecond)
	h := withTokens(t)
	h.serveLive()
	id, secret := h.token(auth.NewToken{Name: "a", Role: auth.Viewer})
	session, bearer := h.newBrowser(), h.http.Client()
	h.tokenSignIn(session, secret)
	first := h.listens(session.http)
	second := h.listens(bearer, "Authorization", "Bearer "+secret)
	if !until(first, ":") || !until(second, ":") {
		t.Fatal("no heartbeat")
	}
	h.must(h.ledger.RevokeToken(ctx, id, store.Entry{At: h.now(), Who: "test", What: "token.revoke", Subject: id}))
	for name, lines := range map[string]stream{"session": first, "bearer": second} {
		if until(lines, "never") {
			t.Errorf("the stream of the %s goes on", name)
		}
	}
	if s := h.api.Live.Stats(); s.Over != 2 {
		t.Errorf("%+v", s)
	}
}

// What a token may is looked at again while its stream is open.
func TestAStreamIsToldNoMoreOfWhatWasTakenAway(t *testing.T) {
	api.SetLiveHeartbeat(t, 10*time.Millisecond)
	w := ready(t, 42, 43)
	w.serveLive()
	id, secret, err := auth.Create(ctx, w.ledger, auth.NewToken{Name: "a", Role: auth.Viewer, Products: []manifests.Product{phone}, By: "test"}, w.now())
	w.must(err)
	lines := w.listens(w.http.Client(), "Authorization", "Bearer "+secret)
	first := w.rollout(42).Id
	if !until(lines, `"rollout/`+first+`"`) {
		t.Fatal("what it may see is not told")
	}
	w.damage(`UPDATE tokens SET products = '["clock"]' WHERE id = '` + id + `'`)
	for range 4 { // heartbeats, of which one at least is begun after that
		if !until(lines, ":") || !lines.Scan() {
			t.Fatal("the stream ended")
		}
	}
	second := w.rollout(43).Id
	watcher := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Viewer], "Last-Event-ID", "1")
	if !until(watcher, `"rollout/`+second+`"`) {
		t.Fatal("it was told to nobody")
	}
	w.damage(`UPDATE tokens SET scope = '["halt"]' WHERE id = '` + id + `'`)
	for i := 0; lines.Scan(); i++ {
		if strings.Contains(lines.Text(), second) {
			t.Error("what was taken away is told")
		}
		if i == enough {
			t.Fatal("the stream of who may read nothing goes on")
		}
	}
	if s := w.api.Live.Stats(); s.Over != 1 {
		t.Errorf("%+v", s)
	}
}

// Who reads one product learns nothing of people and settings, not even that
// something about them changed.
func TestWhatConcernsNoProductIsToldToWhoReadsAll(t *testing.T) {
	w := ready(t, 42)
	w.serveLive()
	all := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Viewer])
	w.limitedTo(auth.Viewer, phone)
	some := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Viewer])
	if !until(all, "event: hello") || !until(some, "event: hello") {
		t.Fatal("no greeting")
	}
	w.append("test", "token.new", "x", "")
	if !until(all, `"people"`) {
		t.Error("who reads all is not told")
	}
	id := w.rollout(42).Id
	told := ""
	for !strings.Contains(told, id) && some.Scan() {
		told += some.Text()
	}
	if strings.Contains(told, `"people"`) || !strings.Contains(told, id) {
		t.Errorf("who reads one product is told %q", told)
	}
}

// A stream that stays open is no use of a session: one that is not used ends.
func TestAStreamKeepsNoSessionAlive(t *testing.T) {
	api.SetLiveHeartbeat(t, 10*time.Millisecond)
	h := withTokens(t)
	h.serveLive()
	b := h.newBrowser()
	h.tokenSignIn(b, h.tokens[auth.Viewer])
	lines := h.listens(b.http)
	for range 9 {
		if !until(lines, ":") {
			break
		}
		h.wait(time.Hour)
	}
	if until(lines, "never") || !h.out(b) {
		t.Error("a session of 9 idle hours is alive")
	}
}

func TestStreamsOfDashboardsAreBounded(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.limits = func(l *overload.Limits) { l.Live = overload.Width{AtOnce: 1} }
	})
	w.serveLive()
	lines := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Viewer])
	if !until(lines, "event: hello") {
		t.Fatal("no greeting")
	}
	second := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Admin])
	if second.status != http.StatusServiceUnavailable || second.header.Get("Retry-After") == "" || !until(second, contract.CodeBusy) {
		t.Errorf("%d %v", second.status, second.header)
	}
	if status, _, _ := w.call(auth.Viewer, "GET", "/v1/rollouts", nil); status != http.StatusOK {
		t.Errorf("what is asked waits for streams: %d", status)
	}
}

func TestAStreamNeedsAnIdentity(t *testing.T) {
	w := newWorld(t)
	for name, header := range map[string][]string{"nobody": nil, "a wrong token": {"Authorization", "Bearer candor_x"}, "a wrong cookie": {"Cookie", "candor-session=" + url.QueryEscape("x")}} {
		if s := w.listens(w.http.Client(), header...); s.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, s.status)
		}
	}
}
