package api_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/store"
)

// stuck is a ledger whose every answer to operators and handsets waits.
type stuck struct {
	store.Ledger
	gate chan struct{} // closed: it answers again
	in   chan struct{} // one for each that waits
}

func (s *stuck) wait(ctx context.Context) error {
	select {
	case s.in <- struct{}{}:
	default:
	}
	select {
	case <-s.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TokenByHash is asked first for whoever has one.
func (s *stuck) TokenByHash(ctx context.Context, hash manifests.SHA256) (store.Token, error) {
	if err := s.wait(ctx); err != nil {
		return store.Token{}, err
	}
	return s.Ledger.TokenByHash(ctx, hash)
}

// drowning is a world in which every kind of work but the poll path is full,
// and more of each is sent than fits.
type drowning struct {
	*world
	stuck   *stuck
	senders sync.WaitGroup
	mu      sync.Mutex
	away    map[string]int // sent away, by path
	worked  int
	other   []string
}

const atOnce, inLine, crowd = 4, 8, 100

func drown(t *testing.T) *drowning {
	t.Helper()
	d := &drowning{stuck: &stuck{gate: make(chan struct{}), in: make(chan struct{}, 1000)}, away: map[string]int{}}
	open := make(chan struct{})
	close(open)
	held := d.stuck.gate
	d.stuck.gate = open
	d.world = newWorld(t, func(w *world) {
		w.around = func(l store.Ledger) store.Ledger { d.stuck.Ledger = l; return d.stuck }
		w.limits = func(l *overload.Limits) {
			width := overload.Width{AtOnce: atOnce, Waiting: inLine}
			l.Operators, l.Actions, l.Uploads, l.Submissions = width, width, width, width
			l.Arriving = overload.Width{AtOnce: atOnce}
		}
	})
	d.submit(d.Init())
	d.stuck.gate = held
	return d
}

// send sends a request that gets stuck, or is sent away.
func (d *drowning) send(method, path string, body []byte) {
	d.senders.Go(func() {
		r, err := http.NewRequestWithContext(ctx, method, d.http.URL+path, bytes.NewReader(body))
		if err != nil {
			d.t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+d.tokens[auth.Admin])
		resp, err := d.http.Client().Do(r)
		if err != nil {
			d.t.Error(err)
			return
		}
		data, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			d.t.Error(err)
		}
		after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		d.mu.Lock()
		defer d.mu.Unlock()
		switch {
		case resp.StatusCode == http.StatusServiceUnavailable && after >= 2 && after <= 15 && strings.Contains(string(data), contract.CodeBusy):
			d.away[path]++
		case resp.StatusCode == http.StatusServiceUnavailable:
			d.other = append(d.other, fmt.Sprintf("%s: %d after %d %s", path, resp.StatusCode, after, data))
		default:
			d.worked++
		}
	})
}

// The poll path answers while everything else is full, whatever waits, and
// what is in the server stays bounded.
func TestPollsAreAnsweredWhileEverythingElseDrowns(t *testing.T) {
	d := drown(t)
	kinds := []struct{ method, path string }{
		{"GET", "/v1/products"}, {"POST", "/v1/rollouts/none/halt"}, {"PATCH", "/v1/uploads/none"}, {"POST", "/v1/submissions"},
	}
	for _, k := range kinds {
		for range crowd {
			d.send(k.method, k.path, nil)
		}
	}
	for range atOnce * len(kinds) {
		<-d.stuck.in // every lane is full
	}
	d.until("who has no turn is sent away", func(m map[string]float64) bool {
		away := 0.0
		for name, n := range m {
			if strings.HasPrefix(name, "candor_lane_refused_total") {
				away += n
			}
		}
		return away == (crowd-atOnce)*float64(len(kinds))
	})
	var slow []net.Conn // votes that never arrive
	for range atOnce {
		slow = append(slow, d.slowVote())
	}
	d.until("every slow vote is counted", func(m map[string]float64) bool { return m[`candor_lane_running{lane="arriving"}`] == atOnce })
	d.refused(http.StatusServiceUnavailable, contract.CodeBusy, "", "POST", "/v1/votes", []byte("{}"))

	d.call("", "GET", "/"+layout.TimestampFile, nil) // which compresses it, once
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 2000 {
		status, _, data := d.call("", "GET", "/"+layout.TimestampFile, nil)
		if status != http.StatusOK || len(data) == 0 {
			t.Fatalf("a poll: %d %s", status, data)
		}
	}
	for range 1000 { // more of what is full: sent away without a trace
		d.refused(http.StatusServiceUnavailable, contract.CodeBusy, "", "POST", "/v1/votes", []byte("{}"))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	for name, n := range d.figures() {
		if strings.HasPrefix(name, "candor_lane_running") && n > atOnce || strings.HasPrefix(name, "candor_lane_waiting") && n > inLine {
			t.Errorf("%s is %g", name, n)
		}
	}
	close(d.stuck.gate)
	d.senders.Wait()
	for _, k := range kinds {
		if d.away[k.path] != crowd-atOnce {
			t.Errorf("%s: %d of %d sent away", k.path, d.away[k.path], crowd)
		}
	}
	if d.worked != atOnce*len(kinds) || len(d.other) > 0 {
		t.Errorf("%d worked; %q", d.worked, d.other)
	}
	for _, c := range slow {
		d.must(c.Close())
	}
	d.until("every place is free again", func(m map[string]float64) bool { return m[`candor_lane_running{lane="arriving"}`] == 0 })
	get[contract.ProductList](d.world, auth.Admin, "GET", "/v1/products", nil)
}

// lane is the one that an operation waits in, by its name.
func lane(o operation) string {
	switch kind, _, _ := strings.Cut(o.name, " "); {
	case kind == "watch":
		return "" // its streams have bounds of their own
	case access[o.name] == handset:
		return "reports"
	case kind == "changeRollout":
		return "actions"
	case kind == "appendUpload":
		return "uploads"
	case kind == "submit", kind == "openEvent", kind == "addWords", kind == "publishEvent":
		return "submissions"
	case kind == "getLive":
		return "live"
	case kind == "login", kind == "loginCallback", kind == "signInWithToken", kind == "getWays":
		return "sign-ins"
	}
	return "operators"
}

// An operation is sent away if its own lane is full, and is not if any other is.
func TestEveryOperationHasTheLaneOfItsKind(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.limits = func(l *overload.Limits) {
			one := overload.Width{AtOnce: 1}
			l.Arriving, l.Reports, l.Downloads, l.Operators = one, one, one, one
			l.Actions, l.Uploads, l.Submissions, l.SignIns, l.Live = one, one, one, one, one
		}
	})
	w.submit(w.Init())
	operations := w.operations("none")
	for name, l := range w.api.Lanes() {
		empty := api.Fill(l)
		for _, o := range operations {
			code := w.problem(w.http.Client(), o, "Authorization", "Bearer "+w.tokens[auth.Viewer])
			full := lane(o) == name || name == "arriving" && lane(o) == "reports"
			if (code == contract.CodeBusy) != full {
				t.Errorf("%s while %s is full: %q", o.name, name, code)
			}
		}
		if status, _, _ := w.call("", "GET", "/"+layout.TimestampFile, nil); status != http.StatusOK {
			t.Errorf("a poll while %s is full: %d", name, status)
		}
		empty()
	}
}

// slowVote promises a body and sends none of it.
func (w *world) slowVote() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	w.must(err)
	_, err = io.WriteString(conn, "POST /v1/votes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	w.must(err)
	return conn
}

// until asks /metrics until it is so.
func (w *world) until(what string, f func(map[string]float64) bool) {
	w.t.Helper()
	for range 5000 {
		if f(w.figures()) {
			return
		}
	}
	w.t.Fatalf("never: %s", what)
}

// raw is the answer to bytes; status 0: there was none.
type raw struct {
	status int
	kind   string
	last   bool // the connection ends with it
	body   string
}

// exchangeRaw sends bytes and reads the answer.
func (w *world) exchangeRaw(text string) raw {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	w.must(err)
	var sent sync.WaitGroup
	sent.Go(func() {
		// The server may have answered, and closed, before all is sent.
		if _, err := io.WriteString(conn, text); err != nil {
			w.t.Log(err)
		}
	})
	defer func() {
		w.must(conn.Close())
		sent.Wait()
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return raw{}
	}
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		w.t.Log(err)
	}
	return raw{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Close, string(data)}
}

func TestSlowBodiesAreToldSo(t *testing.T) {
	w := newWorld(t, func(w *world) { w.limits = func(l *overload.Limits) { l.BodyTime = 50 * time.Millisecond } })
	got := w.exchangeRaw("POST /v1/votes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	if got.status != http.StatusRequestTimeout || !strings.Contains(got.body, contract.CodeTooSlow) || got.kind != "application/problem+json" {
		t.Errorf("%+v", got)
	}
}

func TestEndlessBodiesAreCutOff(t *testing.T) {
	w := newWorld(t)
	for _, head := range []string{"Content-Length: 10000000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n100000\r\n"} {
		got := w.exchangeRaw("POST /v1/votes HTTP/1.1\r\nHost: x\r\n" + head + strings.Repeat("x", 1<<20))
		if got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.body, contract.CodeTooLarge) {
			t.Errorf("%q: %+v", head, got)
		}
	}
}

// One of the two would be believed here and the other by a proxy: neither is.
func TestSmuggledRequestsAreRefused(t *testing.T) {
	w := ready(t)
	for name, text := range map[string]string{
		"two lengths":                 "Content-Length: 3\r\nContent-Length: 44\r\n\r\nabc",
		"a length that is none":       "Content-Length: +3\r\n\r\nabc",
		"an unknown coding":           "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two codings":                 "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"a space before the colon":    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"a header on a second line":   "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n",
		"a name that is not a token":  "X A: b\r\n\r\n",
		"a chunk of a negative size":  "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc",
		"a chunk longer than it says": "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
	} {
		// A second request follows at once; it must not be answered as one.
		second := "GET /" + layout.TimestampFile + " HTTP/1.1\r\nHost: x\r\n\r\n"
		got := w.exchangeRaw("POST /v1/votes HTTP/1.1\r\nHost: x\r\n" + text + second)
		if got.status != 0 && got.status/100 != 4 && got.status != http.StatusNotImplemented {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.Contains(got.body, `"signatures"`) {
			t.Errorf("%s: the second request was answered", name)
		}
	}
	// Both: the coding counts, and nothing that follows is a request.
	got := w.exchangeRaw("POST /v1/votes HTTP/1.1\r\nHost: x\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got.status/100 != 4 || !got.last {
		t.Errorf("%+v", got)
	}
}

func TestReportsOfOneAddressArePaced(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.proxies = []string{"127.0.0.1"}
		w.limits = func(l *overload.Limits) { l.ReportsPerAddress = overload.Rate{Burst: 3, PerSecond: 1} }
	})
	vote := func(from string) (int, http.Header) {
		status, h, _ := w.call("", "POST", "/v1/votes", []byte("{}"), "X-Forwarded-For", from)
		return status, h
	}
	for i := range 3 {
		if status, _ := vote(fmt.Sprintf("2001:db8::%d", i)); status != http.StatusBadRequest {
			t.Fatalf("vote %d: %d", i, status)
		}
	}
	if status, h := vote("2001:db8::9"); status != http.StatusTooManyRequests || h.Get("Retry-After") != "1" {
		t.Errorf("%d, Retry-After %q", status, h.Get("Retry-After"))
	}
	if status, _ := vote("2001:db8:0:1::9"); status != http.StatusBadRequest {
		t.Errorf("another network: %d", status)
	}
	if status, _, _ := w.call("", "GET", "/"+layout.TimestampFile, nil, "X-Forwarded-For", "2001:db8::9"); status == http.StatusTooManyRequests {
		t.Error("polls are not paced")
	}
	w.wait(time.Second)
	if status, _ := vote("2001:db8::9"); status != http.StatusBadRequest {
		t.Errorf("%d after Retry-After", status)
	}
	if strings.Contains(w.log.String(), "2001:db8") {
		t.Error("the log holds an address")
	}
}

func TestDownloadsBeyondTheirPlacesAreSentAway(t *testing.T) {
	w := newWorld(t, func(w *world) { w.limits = func(l *overload.Limits) { l.Downloads = overload.Width{AtOnce: 1} } })
	blob := bytes.Repeat([]byte("candor"), 4<<20)
	key := layout.BlobFile(manifests.SumSHA256(blob))
	w.must(store.PutBytes(ctx, w.blobs, key, blob))
	resp, err := w.http.Client().Get(w.http.URL + "/" + key) // and it is not read
	w.must(err)
	status, h, _ := w.call("", "GET", "/"+key, nil)
	if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", status, h)
	}
	w.must(resp.Body.Close())
	w.until("the place is free", func(m map[string]float64) bool { return m[`candor_lane_running{lane="downloads"}`] == 0 })
	if status, _, data := w.call("", "GET", "/"+key, nil); status != http.StatusOK || !bytes.Equal(data, blob) {
		t.Errorf("%d", status)
	}
}
