package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/layout"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

const phone = releasetest.Phone

var ctx = context.Background()

// world is a whole service over real stores, behind a real listener.
type world struct {
	*releasetest.Makers
	t      testing.TB
	dir    string
	keys   publish.Keys
	ledger *sqlite.Ledger
	blobs  *disk.Blobs
	api    *api.API
	http   *httptest.Server
	clock  atomic.Int64
	tokens map[auth.Role]string
	log    bytes.Buffer
	spent  uint64 // votes that were cast
	// people, if set, is who may sign in at an origin; the listener then
	// speaks TLS.
	people  func(w *world, origin string) *auth.People
	plain   bool     // does not speak TLS all the same
	proxies []string // that are trusted
	limits  func(*overload.Limits)
	around  func(store.Ledger) store.Ledger // what the service sees of it
	// bucket, if set, holds the blobs and the tree instead of the disk.
	bucket store.Blobs
	// showEvery is how often the counts that people see move on; at each call
	// unless it is set.
	showEvery time.Duration
	// logger and observed are the world's own unless they are set.
	logger   *slog.Logger
	observed *observe.Observer
}

func newWorld(t testing.TB, with ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), tokens: map[auth.Role]string{}}
	w.clock.Store(releasetest.Start.Unix())
	for _, f := range with {
		f(w)
	}
	var err error
	w.keys, err = publish.CreateKeys(w.dir)
	w.must(err)
	w.Makers = releasetest.New(t, w.keys)
	w.must(disk.Create(filepath.Join(w.dir, "tree")))
	w.must(os.Mkdir(filepath.Join(w.dir, "uploads"), 0o700))
	w.must(sqlitetest.NewLedger(t, filepath.Join(w.dir, "ledger.db")).Close())
	w.start()
	t.Cleanup(w.stop)
	for _, role := range []auth.Role{auth.Viewer, auth.Engineer, auth.Operator, auth.Admin} {
		_, secret, err := auth.Create(ctx, w.ledger, auth.NewToken{Name: string(role), Role: role, By: "test"}, w.now())
		w.must(err)
		w.tokens[role] = secret
	}
	return w
}

func (w *world) now() time.Time { return time.Unix(w.clock.Load(), 0).UTC() }

func (w *world) wait(d time.Duration) {
	w.clock.Add(int64(d / time.Second))
	w.Now = w.now()
}

// start is what a process does; stop is how it ends.
func (w *world) start() {
	w.t.Helper()
	var err error
	w.ledger, err = sqlite.Open(ctx, filepath.Join(w.dir, "ledger.db"))
	w.must(err)
	w.blobs, err = disk.Open(filepath.Join(w.dir, "tree"))
	w.must(err)
	w.http = httptest.NewUnstartedServer(nil)
	if w.logger == nil {
		w.logger = slog.New(slog.NewTextHandler(&w.log, nil))
	}
	var people *auth.People
	secure := w.people != nil && !w.plain
	if w.people != nil {
		scheme := map[bool]string{true: "https://", false: "http://"}[secure]
		people = w.people(w, scheme+w.http.Listener.Addr().String())
	}
	blobs := w.bucket
	if blobs == nil {
		blobs = w.blobs
	}
	limits := overload.Defaults(20_000)
	if w.limits != nil {
		w.limits(&limits)
	}
	var ledger store.Ledger = w.ledger
	if w.around != nil {
		ledger = w.around(ledger)
	}
	w.api, err = api.Assemble(ctx, api.Parts{
		Limits: limits,
		People: people, TrustedProxies: w.proxies,
		Ledger: ledger, Blobs: blobs, Keys: w.keys, Master: vote.Master{1}, UploadDir: filepath.Join(w.dir, "uploads"),
		Now: w.now, Log: w.logger, Observed: w.observed, ShowEvery: w.showEvery,
	})
	w.must(err)
	w.http.Config.Handler = w.api
	w.bound()
	if secure {
		w.http.StartTLS()
	} else {
		w.http.Start()
	}
}

// bound has the connections of the listener bounded, as a process does.
func (w *world) bound() {
	w.t.Helper()
	counted, err := overload.NewListener(w.http.Listener, w.api.Limits.Connections, w.api.Limits.ConnectionsPerAddress, w.proxies)
	w.must(err)
	w.http.Listener, w.http.Config.ConnState = counted, counted.State
	w.api.Counted(counted)
}

func (w *world) stop() {
	w.http.Close()
	if err := errors.Join(w.api.Close(), w.ledger.Close(), w.blobs.Close()); err != nil {
		w.t.Error(err)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// call sends a request with the token of a role, and gives status, header and
// body.
func (w *world) call(role auth.Role, method, path string, body any, header ...string) (int, http.Header, []byte) {
	w.t.Helper()
	if token := w.tokens[role]; token != "" {
		header = append([]string{"Authorization", "Bearer " + token}, header...)
	}
	return w.exchange(w.http.Client(), method, path, body, header...)
}

// exchange sends a request and gives status, header and body.
func (w *world) exchange(client *http.Client, method, path string, body any, header ...string) (int, http.Header, []byte) {
	w.t.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		data = b
	default:
		var err error
		data, err = json.Marshal(b)
		w.must(err)
	}
	r, err := http.NewRequest(method, w.http.URL+path, bytes.NewReader(data))
	w.must(err)
	if len(data) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(path, "/v1/live") { // one that is opened has no end
		r.Header.Set("Last-Event-ID", "none")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	resp, err := client.Do(r)
	w.must(err)
	out, err := io.ReadAll(resp.Body)
	w.must(errors.Join(err, resp.Body.Close()))
	return resp.StatusCode, resp.Header, out
}

// get decodes an answer of 200 or 201.
func get[T any](w *world, role auth.Role, method, path string, body any, header ...string) T {
	w.t.Helper()
	status, _, data := w.call(role, method, path, body, header...)
	if status != http.StatusOK && status != http.StatusCreated {
		w.t.Fatalf("%s %s: %d %s", method, path, status, data)
	}
	var v T
	w.must(json.Unmarshal(data, &v))
	return v
}

// refused demands a problem with a code.
func (w *world) refused(status int, code string, role auth.Role, method, path string, body any, header ...string) contract.Problem {
	w.t.Helper()
	got, h, data := w.call(role, method, path, body, header...)
	var p contract.Problem
	if err := json.Unmarshal(data, &p); err != nil || got != status || p.Code != code || p.Status != status || h.Get("Content-Type") != "application/problem+json" {
		w.t.Errorf("%s %s: %d %s; want %d %s", method, path, got, data, status, code)
	}
	return p
}

func (w *world) submit(s publish.Submission) contract.SubmissionResult {
	w.t.Helper()
	return get[contract.SubmissionResult](w, auth.Engineer, "POST", "/v1/submissions", submission(s))
}

func submission(s publish.Submission) contract.Submission {
	out := contract.Submission{Metadata: s.Metadata}
	if len(s.Targets) > 0 {
		out.Targets = &s.Targets
	}
	return out
}

// ready has a product and a blob, and the given builds.
func ready(t testing.TB, builds ...manifests.Build) *world {
	t.Helper()
	w := newWorld(t)
	w.prepare(builds...)
	return w
}

func (w *world) prepare(builds ...manifests.Build) {
	w.t.Helper()
	w.must(store.PutBytes(ctx, w.blobs, layout.BlobFile(manifests.SumSHA256(releasetest.Blob)), releasetest.Blob))
	w.submit(w.Init())
	w.submit(w.Product(phone))
	for _, b := range builds {
		w.submit(w.Add(w.Release(b)))
	}
}

func plan(build manifests.Build) map[string]any {
	return map[string]any{
		"product": "phone", "build": build, "channel": "stable", "kind": "normal", "deferral": "0s", "spread": "10m",
		"stages": []map[string]any{{"sharePPM": 10_000, "soak": "6h"}, {"sharePPM": 1_000_000, "soak": "6h"}},
	}
}

func (w *world) rollout(build manifests.Build) contract.Rollout {
	w.t.Helper()
	return get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", plan(build))
}

func (w *world) change(id, action, reason string, header ...string) contract.Rollout {
	w.t.Helper()
	return get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts/"+id+"/"+action, map[string]string{"reason": reason}, header...)
}

// ahead is why somebody goes ahead of a verdict.
const ahead = "the lab has run it for a month"

// widen takes a rollout past the share that one person may open.
func (w *world) widen(id string) {
	w.t.Helper()
	w.as(auth.Admin, id, "approve", "")
	w.change(id, "advance", ahead)
}

// as is change by another person.
func (w *world) as(role auth.Role, id, action, reason string) contract.Rollout {
	w.t.Helper()
	return get[contract.Rollout](w, role, "POST", "/v1/rollouts/"+id+"/"+action, map[string]string{"reason": reason})
}

// document is what a handset reads, with a TUF client, from the store.
func (w *world) document() *policy.Document {
	w.t.Helper()
	r := releasetest.Reader{Blobs: w.blobs, Now: w.now}
	doc, _, err := r.Read(w.t, phone)
	w.must(err)
	return doc
}
