package api_test

import (
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/hooks"
	"github.com/candor-ota/candor/server/store"
)

// figures reads the real /metrics: a line's name and labels to its value.
func (w *world) figures() map[string]float64 {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.api.Admin().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != http.StatusOK {
		w.t.Fatalf("/metrics: %d %s", rec.Code, rec.Body)
	}
	out := map[string]float64{}
	for line := range strings.Lines(rec.Body.String()) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
			w.must(err)
			out[line[:i]] = v
		}
	}
	return out
}

// withHook serves with one webhook, chat, and gives its receiver.
func (w *world) withHook() {
	w.t.Helper()
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w.t.Cleanup(receiver.Close)
	c := hooks.Config{Name: "chat", URL: receiver.URL, SecretFile: filepath.Join(w.dir, "secret"), CAFile: filepath.Join(w.dir, "ca.pem")}
	w.must(os.WriteFile(c.SecretFile, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600))
	w.must(os.WriteFile(c.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o600))
	w.http.Close()
	w.must(w.api.Close())
	var err error
	w.api, err = api.Assemble(ctx, api.Parts{
		Ledger: w.ledger, Blobs: w.blobs, Keys: w.keys, Master: vote.Master{1}, UploadDir: filepath.Join(w.dir, "uploads"),
		Now: w.now, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Webhooks: []hooks.Config{c},
	})
	w.must(err)
	w.http = httptest.NewUnstartedServer(w.api)
	w.bound()
	w.http.Start()
	w.must(second(w.ledger.OpenHook(ctx, "chat")))
}

// inUse is a service in the middle of a rollout, with votes and a hook that
// fails.
func inUse(t *testing.T) *world {
	w := ready(t, 43)
	w.withHook()
	r := w.rollout(43)
	w.change(r.Id, "start", "")
	w.cast(43, healthy, 30)
	w.attempts(43, 60, w.now())
	w.wait(30 * time.Hour)
	lease, err := w.ledger.Acquire(ctx, store.LeaseRequest{Name: "hook:chat", Holder: "x", Now: w.now(), For: time.Minute})
	w.must(err)
	h, err := w.ledger.OpenHook(ctx, "chat")
	w.must(err)
	w.must(w.ledger.SaveHook(ctx, lease, store.Hook{
		Name: "chat", Position: h.Position, Delivered: 5, Failures: 4, GaveUp: 3, FailingSince: w.now().Add(-time.Hour),
	}, store.Entry{}))
	w.call(auth.Operator, "POST", "/v1/votes", []byte("{}"))
	return w
}

func TestHookOfADeadProcessIsTakenOverAtOnce(t *testing.T) {
	w := newWorld(t)
	ask := store.LeaseRequest{Name: hooks.LeaseName("chat"), Holder: "dead", Now: w.now(), For: time.Hour}
	dead, err := w.ledger.Acquire(ctx, ask)
	w.must(err)
	w.withHook()
	ask.Holder = "next"
	if next, err := w.ledger.Acquire(ctx, ask); err != nil || next.Fence <= dead.Fence {
		t.Errorf("%+v, %v", next, err)
	}
}

func TestFiguresAreThoseOfTheService(t *testing.T) {
	w := inUse(t)
	got := w.figures()
	head, err := w.ledger.AuditHead(ctx)
	w.must(err)
	for name, want := range map[string]float64{
		`candor_rollouts{product="phone",state="active"}`:   1,
		`candor_rollouts{product="phone",state="halted"}`:   0,
		`candor_rollouts{product="phone",state="draft"}`:    0,
		`candor_rollout_share_ppm{product="phone"}`:         10_000,
		`candor_rollout_stage_age_seconds{product="phone"}`: 30 * 3600,
		`candor_rollout_attempts{product="phone"}`:          60,
		`candor_rollout_silent_attempts{product="phone"}`:   30,
		`candor_role_life_seconds{role="timestamp"}`:        48 * 3600,
		`candor_role_life_seconds{role="releases-phone"}`:   120 * 86400,
		`candor_role_life_seconds{role="snapshot"}`:         7 * 86400,
		`candor_role_expires_in_seconds{role="timestamp"}`:  18 * 3600,
		`candor_hook_lag_entries{hook="chat"}`:              2, // created, started
		`candor_hook_failing_seconds{hook="chat"}`:          3600,
		`candor_hook_delivered_total{hook="chat"}`:          5,
		`candor_hook_failures_total{hook="chat"}`:           4,
		`candor_hook_given_up_total{hook="chat"}`:           3,
		`candor_audit_sequence`:                             float64(head.Seq),
		`candor_publish_failing_seconds`:                    0,
		`candor_metrics_errors_total`:                       0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%t), want %v", name, v, ok, want)
		}
	}
	if got[`candor_device_requests_total{request="vote",result="refused"}`] != 1 {
		t.Errorf("votes refused: %v", got)
	}
	if v := got[`candor_next_word_in_seconds{product="phone"}`]; v <= 50*86400 || v > 62*86400 {
		t.Errorf("the next word is promised in %v seconds", v)
	}
	for _, role := range []string{"root", "targets", "rollouts", "snapshot", "timestamp", "releases-phone"} {
		if v, ok := got[`candor_role_expires_in_seconds{role="`+role+`"}`]; !ok || v <= 0 {
			t.Errorf("%s expires in %v", role, v)
		}
	}
	w.change(w.current(43), "halt", "boot loops")
	got = w.figures()
	if got[`candor_rollouts{product="phone",state="halted"}`] != 1 || got[`candor_rollout_share_ppm{product="phone"}`] != 0 {
		t.Errorf("after the halt: %v", got)
	}
	if _, still := got[`candor_rollout_stage_age_seconds{product="phone"}`]; still {
		t.Error("a halted rollout still ages")
	}
}

// hostile asks for whatever its number makes up: paths, methods, products,
// queries, headers, on every plane.
func (w *world) hostile(n string) {
	for _, c := range []struct{ method, path string }{
		{"GET", "/v1/rollouts/none-" + n},
		{"GET", "/v1/products/p" + n + "/releases"},
		{"GET", "/v1/products/p" + n + "/releases/" + n + "/counts"},
		{"GET", "/v1/audit?subject=" + n},
		{"POST", "/v1/rollouts/x/act-" + n},
		{"POST", "/v1/lab-handsets/" + n + "/mute"},
		{"GET", "/nothing/" + n},
		{"GET", "/v1/none/" + n},
		{"GET", "/blobs/" + n},
		{"GET", "/metadata/" + n + ".root.json"},
		{"GET", "/targets/" + n},
		{"M" + n, "/v1/rollouts"},
		{"M" + n, "/v1/none"},
		{"M" + n, "/metadata/timestamp.json"},
		{"M" + n, "/blobs/x"},
		{"POST", "/v1/enrolments"},
		{"POST", "/v1/enrolments/withdraw"},
		{"POST", "/v1/tokens"},
		{"POST", "/v1/votes"},
		{"POST", "/v1/lab-reports"},
	} {
		body := []byte(`{"product":"p` + n + `","build":` + n + `,"class":"c` + n + `"}`)
		for _, role := range []auth.Role{"", auth.Admin} {
			w.call(role, c.method, c.path, body, "User-Agent", "u"+n, "Origin", "https://o"+n+".example", "X-Forwarded-For", "10.0.0."+n, "Idempotency-Key", "k"+n)
		}
	}
}

func TestWhatRequestsSayMakesNoSeries(t *testing.T) {
	w := inUse(t)
	w.hostile("1") // the routes and operations that were not in use before
	before := w.figures()
	for i := range 20 {
		w.hostile(strconv.Itoa(100 + i))
	}
	for name := range w.figures() {
		if _, ok := before[name]; !ok {
			t.Errorf("a request made %s", name)
		}
	}
}

func TestBrokenLedgerLeavesTheOtherFigures(t *testing.T) {
	w := inUse(t)
	w.damage(`UPDATE rollouts SET document = '{'`)
	w.figures() // the reading that fails is counted for the next
	got := w.figures()
	if got["candor_metrics_errors_total"] < 1 || got["candor_audit_sequence"] == 0 || got[`candor_role_expires_in_seconds{role="root"}`] == 0 {
		t.Errorf("%v", got)
	}
}

func TestProfilesAreForTheMachineItselfAlone(t *testing.T) {
	w := newWorld(t)
	for name, of := range map[string]struct {
		handler http.Handler
		status  int
	}{
		"admin": {w.api.Admin(), http.StatusOK}, "metrics": {w.api.Health(), http.StatusNotFound}, "public": {w.api, http.StatusNotFound},
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap"} {
			rec := httptest.NewRecorder()
			of.handler.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
			if rec.Code != of.status {
				t.Errorf("%s listener, %s: %d", name, path, rec.Code)
			}
		}
	}
}
