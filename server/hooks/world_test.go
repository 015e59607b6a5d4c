package hooks

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/webhook"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a hook between a real ledger and a real receiver over TLS.
type world struct {
	t      *testing.T
	file   string
	ledger *sqlite.Ledger
	clock  time.Time
	config Config
	log    bytes.Buffer

	mu     sync.Mutex
	answer http.HandlerFunc // instead of 204
	secret webhook.Secret
	seen   webhook.Memory
	got    []webhook.Event // what Verify let through
	ids    []string        // of every request
	errs   []error
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: start, secret: webhook.Secret(strings.Repeat("a", 32))}
	dir := t.TempDir()
	w.file = filepath.Join(dir, "ledger.db")
	w.ledger = sqlitetest.NewLedger(t, w.file)
	t.Cleanup(func() { w.must(w.ledger.Close()) })
	receiver := httptest.NewTLSServer(http.HandlerFunc(w.receive))
	t.Cleanup(receiver.Close)
	w.config = Config{
		Name: "chat", URL: receiver.URL + "/candor", SecretFile: filepath.Join(dir, "secret"), CAFile: filepath.Join(dir, "ca.pem"),
	}
	w.secrets(w.secret)
	w.must(os.WriteFile(w.config.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o600))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) secrets(list ...webhook.Secret) {
	var text strings.Builder
	for _, s := range list {
		fmt.Fprintf(&text, "whsec_%s\n", base64.StdEncoding.EncodeToString(s))
	}
	w.must(os.WriteFile(w.config.SecretFile, []byte(text.String()), 0o600))
}

// receive is what the receiver does: the one of package webhook's example.
func (w *world) receive(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // only then does it notice that the sender went away
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = append(w.ids, r.Header.Get(webhook.HeaderID))
	if w.answer != nil {
		w.answer(out, r)
		return
	}
	if err == nil {
		var e webhook.Event
		if e, err = webhook.Verify(w.secret, r.Header, body, w.clock, &w.seen); err == nil {
			w.got = append(w.got, e)
		}
	}
	if err != nil {
		w.errs = append(w.errs, err)
	}
	if err != nil && !errors.Is(err, webhook.ErrReplayed) {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	out.WriteHeader(http.StatusNoContent)
}

// answers has the receiver answer otherwise; nil is as it should.
func (w *world) answers(f http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func status(code int, header ...string) http.HandlerFunc {
	return func(out http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			out.Header().Set(header[i], header[i+1])
		}
		out.WriteHeader(code)
	}
}

// worker is a new process that serves the hook over a ledger.
func (w *world) worker(l Ledger) *worker {
	w.t.Helper()
	d, err := New(Options{
		Ledger: l, Hooks: []Config{w.config}, Now: func() time.Time { return w.clock }, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Deadline: time.Minute, Jitter: func(most time.Duration) time.Duration { return most },
	})
	w.must(err)
	return d.workers[0]
}

func (w *world) happen(what string, n int) {
	for i := range n {
		_, err := w.ledger.Append(w.t.Context(), store.Entry{At: w.clock, Who: "ana", What: what, Subject: fmt.Sprint("s", i), Why: "because"})
		w.must(err)
	}
}

// step makes one step and demands how long is to be waited.
func (w *world) step(k *worker, wait time.Duration) {
	w.t.Helper()
	got, err := k.step(w.t.Context())
	if err != nil || got != wait {
		w.t.Errorf("waits %v, want %v; %v", got, wait, err)
	}
}

func (w *world) state() store.Hook {
	w.t.Helper()
	list, err := w.ledger.Hooks(w.t.Context())
	w.must(err)
	if len(list) != 1 {
		w.t.Fatalf("hooks: %+v", list)
	}
	return list[0]
}

// told are the ids of what the receiver let through, without the hook's name.
func (w *world) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.got {
		out = append(out, strings.TrimPrefix(e.ID, "chat."))
	}
	return strings.Join(out, " ")
}

func (w *world) tries() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ids)
}

// faulty is a ledger whose writes of positions fail.
type faulty struct {
	*sqlite.Ledger
	before bool // and are not made
}

var errPower = errors.New("the power went")

func (f faulty) SaveHook(ctx context.Context, l store.Lease, h store.Hook, e store.Entry) error {
	if !f.before {
		if err := f.Ledger.SaveHook(ctx, l, h, e); err != nil {
			return err
		}
	}
	return errPower
}
