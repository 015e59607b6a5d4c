package ceremony

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
)

// late is a server that follows others: it has to be asked for each file a few
// times before it has it.
type late struct {
	files  map[string][]byte
	times  int // that it is asked in vain
	status int // of its answers in vain
	asked  map[string]int
	bare   int // requests that did not ask for the newest
}

func (l *late) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if r.Header.Get(layout.FreshHeader) == "" {
		l.bare++
	}
	l.asked[path]++
	if l.asked[path] <= l.times && (l.status != http.StatusNotFound || named(path)) {
		w.WriteHeader(l.status)
		return
	}
	body, ok := l.files[path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if _, err := w.Write(body); err != nil {
		return
	}
}

// behind serves the world's files from a server that is late, and gives what the
// reader's pauses add up to.
func (w *world) behind(times, status int) (*late, Source, *time.Duration) {
	w.t.Helper()
	l := &late{files: w.files, times: times, status: status, asked: map[string]int{}}
	server := httptest.NewServer(l)
	w.t.Cleanup(server.Close)
	src, err := Server(server.URL)
	w.must(err)
	patient, waited := src.(httpSource), new(time.Duration)
	patient.pause = func(ctx context.Context, d time.Duration) error { *waited += d; return ctx.Err() }
	return l, patient, waited
}

func TestFileThatAnotherServerHasJustPublishedIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	for _, status := range []int{http.StatusNotFound, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway} {
		l, src, waited := w.behind(3, status)
		if _, err := Load(t.Context(), src, anchor, w.now); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		if *waited == 0 || l.bare != 0 {
			t.Errorf("%d: waited %s, asked %d times without saying that it wants the newest", status, *waited, l.bare)
		}
		if n := l.asked[layout.MetadataFile("root", 2)]; status == http.StatusNotFound && n != 1 {
			t.Errorf("a root that need not be there was asked for %d times", n)
		}
	}
}

func TestFileThatStaysAwayIsGivenUp(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	_, src, waited := w.behind(1<<30, http.StatusNotFound)
	if _, err := Load(t.Context(), src, anchor, w.now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if *waited < patience || *waited > 4*patience {
		t.Errorf("waited %s", *waited)
	}
	ctx, end := context.WithCancel(t.Context())
	_, src, waited = w.behind(1<<30, http.StatusServiceUnavailable)
	end()
	if _, err := Load(ctx, src, anchor, w.now); !errors.Is(err, context.Canceled) || *waited != 0 {
		t.Errorf("%v after %s", err, *waited)
	}
}
