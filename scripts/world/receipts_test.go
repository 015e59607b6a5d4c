package world_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/scripts/world"
)

// wire hands everything on to the server and keeps every byte that handsets
// send.
type wire struct {
	*httputil.ReverseProxy
	mu   sync.Mutex
	sent []byte
	errs error
}

func newWire(t *testing.T, w *world.World) (*wire, string) {
	t.Helper()
	u, err := url.Parse(w.Server)
	if err != nil {
		t.Fatal(err)
	}
	l := &wire{ReverseProxy: httputil.NewSingleHostReverseProxy(u)}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	return l, s.URL
}

func (l *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	all, err := httputil.DumpRequest(r, true)
	l.mu.Lock()
	l.sent, l.errs = append(l.sent, all...), errors.Join(l.errs, err)
	l.mu.Unlock()
	l.ReverseProxy.ServeHTTP(rw, r)
}

// A5: with reports on and off again, nothing of the owner's receipt leaves the
// handset but the votes that it shows.
func TestReceiptsNeverLeaveTheHandset(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	l, address := newWire(t, w)
	p := accepted(t, phone(t, w, address, true), 42)
	tick, deadline := time.NewTicker(200*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for votes := 0; votes < 2; { // each waits a random part of a second
		once(t, p)
		c, err := w.Counts(ctx, product, 42)
		if err != nil {
			t.Fatal(err)
		}
		votes = c.Attempts + c.Trials
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("only %d votes are counted", votes)
		}
	}
	if _, err := p.Exec(ctx, "consent", "off"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(p.Dir, "state", "receipts.log"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := receipts.Parse(data)
	if err != nil || c.Unfinished > 0 {
		t.Fatal(c.Unfinished, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.errs != nil {
		t.Fatal(l.errs)
	}
	seen := map[receipts.Kind]int{}
	for i, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		e := c.Entries[i]
		seen[e.Kind]++
		secret := [][]byte{line, []byte(e.Hash.String()), e.Hash[:]}
		if e.Why != "" {
			secret = append(secret, []byte(e.Why))
		}
		for _, id := range e.SignedBy {
			secret = append(secret, []byte(id))
		}
		for _, s := range secret {
			if bytes.Contains(l.sent, s) {
				t.Errorf("%q of receipt %d left the handset", s, e.Seq)
			}
		}
	}
	if last := c.Entries[len(c.Entries)-1]; last.Kind != receipts.Withdrawal || seen[receipts.VoteSent] != 2 {
		t.Fatalf("the receipt ends with %s and holds %v", last.Kind, seen)
	}
	for _, e := range c.Entries {
		if e.Kind == receipts.Installed && len(e.SignedBy) != 2 {
			t.Errorf("installed, signed by %q", e.SignedBy)
		}
	}
}
