package live_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/live"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/storetest"
)

// replica is a server's hub over a ledger that others share. Its log is never
// looked at by itself in a test's time: what others write is told by the engine.
func replica(t *testing.T, p *storetest.Postgres, url string) (*postgres.Ledger, *world) {
	t.Helper()
	l, err := postgres.Open(t.Context(), postgres.Config{URL: url, Password: p.Password})
	if err != nil {
		t.Fatal(err)
	}
	hub := live.New(live.Options{
		Ledger: l, Look: time.Hour, Every: time.Millisecond, Now: time.Now,
		Product: func(context.Context, store.Entry) (manifests.Product, error) { return "", nil },
	})
	l.OnEntry(hub.Kick)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() {
		hub.Run(ctx)
		done <- struct{}{}
	}()
	go func() {
		for range l.Changes(ctx) {
			hub.Kick()
		}
		done <- struct{}{}
	}()
	w := &world{T: t}
	all := func(manifests.Product) bool { return true }
	w.http = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		after := int64(-1)
		if n, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
			after = n
		}
		still := func(context.Context) (func(manifests.Product) bool, error) { return all, nil }
		if err := hub.Serve(rw, r, live.Reader{After: after, May: all, Still: still}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(func() {
		hub.Close()
		w.http.Close()
		cancel()
		<-done
		<-done
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, w
}

// A reader that goes from one server to another, back and forth, hears of every
// entry once, whichever of them wrote it.
func TestResumingAtAnotherServerMissesNothingAndDoublesNothing(t *testing.T) {
	p := storetest.StartPostgres(t)
	url := p.Database(t)
	a, atA := replica(t, p, url)
	b, atB := replica(t, p, url)
	write := func(l *postgres.Ledger, subject int) {
		t.Helper()
		_, err := l.Append(t.Context(), store.Entry{At: time.Now(), Who: "test", What: "rollout.start", Subject: strconv.Itoa(subject)})
		if err != nil {
			t.Fatal(err)
		}
	}
	last, n := "", 0
	count := map[string]int{}
	for round := range 6 {
		w, other := atA, b
		if round%2 == 1 {
			w, other = atB, a
		}
		s := w.open(last)
		if e, _ := s.next(); e.name != "hello" {
			t.Fatalf("%+v", e)
		}
		write(other, n+1) // while it listens, by the other server
		heard := s.hears("rollout/" + strconv.Itoa(n+1))
		for topic, times := range heard {
			count[topic] += times
		}
		if err := s.conn.(*net.TCPConn).Close(); err != nil {
			t.Fatal(err)
		}
		last = s.last
		write(a, n+2) // while nobody does
		write(b, n+3)
		n += 3
	}
	s := atA.open(last)
	s.next()
	for topic, times := range s.hears("rollout/"+strconv.Itoa(n-1), "rollout/"+strconv.Itoa(n)) {
		count[topic] += times
	}
	for i := 1; i <= n; i++ {
		if got := count["rollout/"+strconv.Itoa(i)]; got != 1 {
			t.Errorf("entry %d was told %d times", i, got)
		}
	}
}
