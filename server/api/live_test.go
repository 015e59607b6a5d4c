package api_test

import (
	"bufio"
	"context"
	"io"
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

// listens opens a stream of a dashboard.
func (w *world) listens(client *http.Client, header ...string) (*http.Response, *bufio.Scanner) {
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
	return resp, bufio.NewScanner(resp.Body)
}

// until reads lines up to one that has a text in it; false at the end.
func until(lines *bufio.Scanner, text string) bool {
	for lines.Scan() {
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
	resp, all := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Viewer])
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Accel-Buffering") != "no" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	_, other := w.listens(w.http.Client(), "Authorization", "Bearer "+secret)
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
	_, first := h.listens(session.http)
	_, second := h.listens(bearer, "Authorization", "Bearer "+secret)
	if !until(first, ":") || !until(second, ":") {
		t.Fatal("no heartbeat")
	}
	h.must(h.ledger.RevokeToken(ctx, id, store.Entry{At: h.now(), Who: "test", What: "token.revoke", Subject: id}))
	for name, lines := range map[string]*bufio.Scanner{"session": first, "bearer": second} {
		if until(lines, "never") {
			t.Errorf("the stream of the %s goes on", name)
		}
	}
	if s := h.api.Live.Stats(); s.Over != 2 {
		t.Errorf("%+v", s)
	}
}

// A stream that stays open is no use of a session: one that is not used ends.
func TestAStreamKeepsNoSessionAlive(t *testing.T) {
	api.SetLiveHeartbeat(t, 10*time.Millisecond)
	h := withTokens(t)
	h.serveLive()
	b := h.newBrowser()
	h.tokenSignIn(b, h.tokens[auth.Viewer])
	_, lines := h.listens(b.http)
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
	_, lines := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Viewer])
	if !until(lines, "event: hello") {
		t.Fatal("no greeting")
	}
	resp, _ := w.listens(w.http.Client(), "Authorization", "Bearer "+w.tokens[auth.Admin])
	data, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(data), contract.CodeBusy) {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, data)
	}
	if status, _, _ := w.call(auth.Viewer, "GET", "/v1/rollouts", nil); status != http.StatusOK {
		t.Errorf("what is asked waits for streams: %d", status)
	}
}

func TestAStreamNeedsAnIdentity(t *testing.T) {
	w := newWorld(t)
	for name, header := range map[string][]string{"nobody": nil, "a wrong token": {"Authorization", "Bearer candor_x"}, "a wrong cookie": {"Cookie", "candor-session=" + url.QueryEscape("x")}} {
		if resp, _ := w.listens(w.http.Client(), header...); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}
