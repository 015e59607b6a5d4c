package live_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/live"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

// world is a hub over a real ledger, behind a real listener.
type world struct {
	*testing.T
	dir    string
	ledger *sqlite.Ledger
	hub    *live.Hub
	http   *httptest.Server
	may    func(manifests.Product) bool
	still  func(context.Context) (func(manifests.Product) bool, error)
	now    atomic.Int64
	reads  atomic.Int64
	end    func()
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// counting counts what is read of a ledger.
type counting struct {
	*sqlite.Ledger
	n *atomic.Int64
}

func (c counting) Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error) {
	c.n.Add(1)
	return c.Ledger.Entries(ctx, q)
}

func newWorld(t *testing.T, change ...func(*live.Options)) *world {
	w := &world{T: t, dir: t.TempDir(), may: func(manifests.Product) bool { return true }}
	w.now.Store(1_400_000_000)
	w.must(sqlitetest.NewLedger(t, filepath.Join(w.dir, "ledger.db")).Close())
	w.start(change...)
	t.Cleanup(func() { w.stop() })
	return w
}

// start is what a process does; stop is how it ends.
func (w *world) start(change ...func(*live.Options)) {
	w.Helper()
	var err error
	w.ledger, err = sqlite.Open(context.Background(), filepath.Join(w.dir, "ledger.db"))
	w.must(err)
	o := live.Options{
		Ledger: counting{w.ledger, &w.reads}, Every: time.Millisecond, Look: 10 * time.Millisecond, Heartbeat: 10 * time.Millisecond,
		Now: func() time.Time { return time.Unix(w.now.Load(), 0) },
		Product: func(_ context.Context, e store.Entry) (manifests.Product, error) {
			return manifests.Product(e.Why), nil
		},
	}
	for _, f := range change {
		f(&o)
	}
	w.hub = live.New(o)
	w.ledger.OnEntry(w.hub.Kick)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.hub.Run(ctx)
	}()
	w.http = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		after := int64(-1)
		if text := r.Header.Get("Last-Event-ID"); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				w.Error(err)
			}
			after = n
		}
		still := w.still
		if still == nil {
			still = func(context.Context) (func(manifests.Product) bool, error) { return w.may, nil }
		}
		if err := w.hub.Serve(rw, r, live.Reader{After: after, May: w.may, Still: still}); err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	w.end = func() {
		w.hub.Close()
		w.http.Close()
		cancel()
		<-done
		w.must(w.ledger.Close())
	}
}

func (w *world) stop() {
	if w.end != nil {
		w.end()
	}
	w.end = nil
}

// happens writes an entry about a rollout of a product.
func (w *world) happens(subject, product string) int64 {
	w.Helper()
	e, err := w.ledger.Append(w.Context(), store.Entry{At: time.Unix(w.now.Load(), 0), Who: "test", What: "rollout.start", Subject: subject, Why: product})
	w.must(err)
	return e.Seq
}

// stream is a reader's end.
type stream struct {
	*world
	conn  net.Conn
	lines *bufio.Scanner
	last  string
}

// enough lines are more than come before any event here, heartbeats included.
const enough = 5000

// told is an event.
type told struct{ name, id, data string }

func (w *world) open(after string) *stream {
	w.Helper()
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	w.must(err)
	w.Cleanup(func() {
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.Error(err)
		}
	})
	if after != "" {
		after = "Last-Event-ID: " + after + "\r\n"
	}
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.0\r\nHost: x\r\n%s\r\n", after)
	w.must(err)
	s := &stream{world: w, conn: conn, lines: bufio.NewScanner(conn)}
	s.lines.Buffer(nil, 1<<20)
	for s.lines.Scan() && s.lines.Text() != "" { // the head
	}
	return s
}

// next is the next event; ok is false at the end.
func (s *stream) next() (t told, ok bool) {
	for i := 0; s.lines.Scan(); i++ {
		if i == enough {
			s.Fatal("nothing but heartbeats")
		}
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "event":
			t.name = value
		case "id":
			t.id, s.last = value, value
		case "data":
			t.data = value
		case "retry":
			return told{name: "retry", data: value}, true
		case "":
			if t.name != "" {
				return t, true
			}
		}
	}
	return t, false
}

// hears reads on until all topics were told, and gives how often each was.
func (s *stream) hears(topics ...string) map[string]int {
	s.Helper()
	count := map[string]int{}
	for slices.ContainsFunc(topics, func(t string) bool { return count[t] == 0 }) {
		e, ok := s.next()
		if !ok {
			s.Fatalf("the stream ended before %v", topics)
		}
		for _, t := range strings.Split(strings.Trim(between(e.data, "[", "]"), `"`), `","`) {
			count[t]++
		}
	}
	return count
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestAnEntryIsToldByWhatItChanges(t *testing.T) {
	w := newWorld(t, func(o *live.Options) { o.Look = time.Hour }) // only the kick tells
	s := w.open("")
	if e, _ := s.next(); e.name != "hello" || e.id != "0" {
		t.Fatalf("begins with %+v", e)
	}
	seq := w.happens("7-a", "phone")
	e, _ := s.next()
	if e.name != "changed" || e.id != strconv.FormatInt(seq, 10) || between(e.data, "[", "]") != `"audit","product/phone","rollout/7-a","rollouts"` {
		t.Errorf("%+v", e)
	}
}

// A stream that is resumed, at the same server or at one that was started anew,
// is told of everything since, once.
func TestResumingMissesNothingAndDoublesNothing(t *testing.T) {
	w := newWorld(t)
	s := w.open("")
	s.next()
	w.happens("1", "phone")
	s.hears("rollout/1")
	w.must(s.conn.Close())
	w.happens("2", "phone")
	w.happens("3", "phone")
	w.stop()
	w.start()
	again := w.open(s.last)
	if e, _ := again.next(); e.name != "hello" || e.id != s.last {
		t.Fatalf("greets with %+v, which would lose what was missed; %s was heard last", e, s.last)
	}
	w.happens("4", "phone")
	got := again.hears("rollout/2", "rollout/3", "rollout/4")
	if got["rollout/1"] != 0 || got["rollout/2"] != 1 || got["rollout/3"] != 1 || got["rollout/4"] != 1 {
		t.Errorf("%v", got)
	}
	if again.last != "4" {
		t.Errorf("stands at %s", again.last)
	}
}

func TestWhoMissedTooMuchAsksForEverything(t *testing.T) {
	w := newWorld(t)
	for i := range live.Backlog + 1 {
		w.happens(strconv.Itoa(i), "phone")
	}
	for _, after := range []string{"0", "999999"} { // the latter as after a restore
		s := w.open(after)
		s.next()
		if e, _ := s.next(); e.name != "reset" || e.id != strconv.Itoa(live.Backlog+1) {
			t.Errorf("after %s: %+v", after, e)
		}
	}
}

func TestNothingIsToldOfWhatOneMayNotSee(t *testing.T) {
	w := newWorld(t)
	w.may = func(p manifests.Product) bool { return p == "phone" }
	w.happens("0", "clock")
	s := w.open("0")
	s.next()
	w.happens("1", "clock")
	w.happens("2", "")
	w.happens("3", "phone")
	e, _ := s.next()
	if got := between(e.data, "[", "]"); strings.Contains(got, "clock") || strings.Contains(got, "rollout/1") || strings.Contains(got, "rollout/2") || !strings.Contains(got, "rollout/3") {
		t.Errorf("%s", got)
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	w := newWorld(t)
	var over atomic.Bool
	w.still = func(context.Context) (func(manifests.Product) bool, error) {
		if over.Load() {
			return nil, live.ErrOver
		}
		return w.may, errors.New("the ledger is away") // ends nothing
	}
	s := w.open("")
	s.next()
	w.happens("1", "phone")
	s.hears("rollout/1")
	over.Store(true)
	if e, ok := s.next(); ok {
		t.Errorf("told %+v", e)
	}
	if got := w.hub.Stats(); got.Over != 1 {
		t.Errorf("%+v", got)
	}
}

// What a reader may is taken anew at each heartbeat, not once for all.
func TestWhatWasTakenAwayIsToldNoMore(t *testing.T) {
	w := newWorld(t)
	asked := make(chan struct{})
	w.still = func(ctx context.Context) (func(manifests.Product) bool, error) {
		select {
		case asked <- struct{}{}:
		case <-ctx.Done():
		}
		return func(p manifests.Product) bool { return p == "clock" }, nil
	}
	s := w.open("")
	s.next()
	<-asked
	w.happens("0", "clock") // told after the answer was taken
	go func() {
		for range asked {
		}
	}()
	s.hears("rollout/0")
	w.happens("1", "phone")
	w.happens("2", "clock")
	if got := s.hears("rollout/2"); got["rollout/1"] != 0 {
		t.Errorf("%v", got)
	}
}

func TestASlowReaderIsDroppedAndNeverWaitedFor(t *testing.T) {
	w := newWorld(t, func(o *live.Options) { o.Patience = 50 * time.Millisecond })
	slow := w.open("")
	w.must(slow.conn.(*net.TCPConn).SetReadBuffer(1))
	quick := w.open("")
	quick.next()
	for i := 0; w.hub.Stats().Slow == 0; i++ {
		subject := strconv.Itoa(i) + strings.Repeat("x", 100_000)
		w.happens(subject, "phone")
		if e, ok := quick.next(); !ok || e.name != "changed" {
			t.Fatalf("the quick one is told %q", e.name)
		}
	}
}

func TestChangesAreToldTogether(t *testing.T) {
	w := newWorld(t, func(o *live.Options) { o.Every = time.Hour })
	s := w.open("")
	s.next()
	w.happens("0", "phone")
	s.hears("rollout/0")
	for i := range 20 {
		w.happens(strconv.Itoa(i), "phone")
	}
	for w.reads.Load() < 20 { // they have been handed out, and wait
		w.hub.Kick()
	}
	if got := w.hub.Stats().Events; got != 1 {
		t.Errorf("%d events within the pause", got)
	}
}

func TestNobodyReadsWhileNobodyListens(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.happens(strconv.Itoa(i), "phone")
		w.hub.Kick()
	}
	if n := w.reads.Load(); n != 0 {
		t.Errorf("the log was read %d times", n)
	}
}

// Counts are told at the beginning of each period, whether any were counted or
// not, and never within one.
func TestCountsAreToldOncePerPeriod(t *testing.T) {
	asked := make(chan struct{}, 1000)
	w := newWorld(t, func(o *live.Options) {
		o.ShowEvery = time.Hour
		o.Counted = func(context.Context) ([]vote.Ref, error) {
			asked <- struct{}{}
			return []vote.Ref{{Product: "phone", Build: 43}}, nil
		}
	})
	s := w.open("")
	s.next()
	for range 3 {
		w.happens("1", "phone") // looks, within the period
		s.hears("rollout/1")
	}
	if len(asked) != 0 {
		t.Error("counts are looked at within a period")
	}
	w.now.Add(3600)
	e, _ := s.next()
	if e.name != "counted" || e.id != "" || between(e.data, "[", "]") != `"counts/phone/43"` || !strings.Contains(e.data, time.Unix(w.now.Load(), 0).Truncate(time.Hour).UTC().Format(time.RFC3339)) {
		t.Errorf("%+v", e)
	}
	if s.last != "3" {
		t.Errorf("it moved the place in the log to %s", s.last)
	}
}

func TestClosingSaysWhenToComeBack(t *testing.T) {
	w := newWorld(t)
	s := w.open("")
	s.next()
	w.hub.Close()
	e, _ := s.next()
	if ms, err := strconv.Atoi(e.data); e.name != "retry" || err != nil || ms < 500 || ms > 3000 {
		t.Errorf("%+v", e)
	}
	if e, ok := s.next(); ok {
		t.Errorf("told %+v after the end", e)
	}
	r, err := http.Get(w.http.URL)
	w.must(err)
	w.must(r.Body.Close())
	if r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("opened after the end: %d", r.StatusCode)
	}
}
