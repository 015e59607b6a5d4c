package overload_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/overload"
)

// world is a server behind a bounded listener. /slow waits to be let go.
type world struct {
	*testing.T
	listener *overload.Listener
	server   *httptest.Server
	serving  chan struct{}
	idle     chan struct{} // a connection asks for nothing any more
	let      chan struct{}
}

func newWorld(t *testing.T, most, each int, proxies []string, change ...func(*httptest.Server)) *world {
	t.Helper()
	w := &world{T: t, serving: make(chan struct{}, 1000), idle: make(chan struct{}, 1000), let: make(chan struct{})}
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			w.serving <- struct{}{}
			<-w.let
		case "/hijack":
			conn, _, err := http.NewResponseController(rw).Hijack()
			w.must(err)
			t.Cleanup(func() { w.must(conn.Close()) })
			_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			w.must(err)
			return
		}
		if _, err := io.WriteString(rw, "ok"); err != nil {
			return // it was ended
		}
	}))
	var err error
	w.listener, err = overload.NewListener(w.server.Listener, most, each, proxies)
	w.must(err)
	w.server.Listener = w.listener
	w.server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		w.listener.State(c, s)
		if s == http.StateIdle {
			select {
			case w.idle <- struct{}{}:
			default: // the test does not ask
			}
		}
	}
	w.server.Config.ReadHeaderTimeout = time.Minute
	for _, f := range change {
		f(w.server)
	}
	if w.server.TLS == nil {
		w.server.Start()
	} else {
		w.server.StartTLS()
	}
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Error(err)
	}
}

// dial connects from an address of loopback.
func (w *world) dial(from string) net.Conn {
	w.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.Log(err)
		}
	})
	return conn
}

// poll asks over a connection and gives the status; 0 if it was ended.
func poll(conn net.Conn, path string) int {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if errors.Join(err, resp.Body.Close()) != nil {
		return 0
	}
	return resp.StatusCode
}

// ended waits for the other side to end a connection.
func ended(conn net.Conn) bool {
	_, err := conn.Read(make([]byte, 1))
	return err != nil
}

func TestIdleConnectionsMakeRoomTheOldestFirst(t *testing.T) {
	w := newWorld(t, 8, 8, nil)
	served := func(c net.Conn) bool {
		if poll(c, "/") != 200 {
			return false
		}
		<-w.idle // the server knows it only after the answer is out
		return true
	}
	var idle []net.Conn
	for range 8 {
		c := w.dial("127.0.0.1")
		if !served(c) {
			t.Fatal("not served")
		}
		idle = append(idle, c)
	}
	if !served(idle[0]) { // has asked again since
		t.Fatal("not served")
	}
	for i := range 3 {
		if !served(w.dial("127.0.0.2")) {
			t.Fatalf("the new one %d is not served", i)
		}
	}
	for i := 1; i <= 3; i++ {
		if !ended(idle[i]) {
			t.Errorf("the old one %d is left", i)
		}
	}
	if !served(idle[0]) || !served(idle[7]) {
		t.Error("a newer one made room")
	}
	if s := w.listener.Stats(); s != (overload.ConnectionStats{Open: 8, Evicted: 3}) {
		t.Errorf("%+v", s)
	}
}

// Thousands that say nothing, or half a head, keep no poll out; nor do they
// stay in the way of who is being served.
func TestAFloodOfIdleAndSlowConnectionsKeepsNoPollOut(t *testing.T) {
	w := newWorld(t, 1000, 500, nil)
	served := w.dial("127.0.0.9")
	answers := make(chan int, 1)
	go func() { answers <- poll(served, "/slow") }()
	<-w.serving
	const flood = 5000
	for i := range flood {
		c := w.dial(fmt.Sprintf("127.0.1.%d", i%8))
		if i%2 == 0 {
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nX-Slow: "); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatal(err)
			}
		}
		if i%50 == 0 && poll(w.dial("127.0.0.2"), "/") != 200 {
			t.Fatalf("a poll among %d was not answered", i)
		}
	}
	if s := w.listener.Stats(); s.Open > 1000 || s.Refused > 0 || s.Evicted < flood-1000 {
		t.Errorf("%+v", s)
	}
	close(w.let)
	if status := <-answers; status != 200 {
		t.Errorf("who was served was ended: %d", status)
	}
}

func TestAnAddressMakesRoomAmongItsOwn(t *testing.T) {
	w := newWorld(t, 100, 3, nil)
	other := w.dial("127.0.0.2")
	poll(other, "/")
	first := w.dial("127.0.0.1")
	poll(first, "/")
	for range 20 {
		if poll(w.dial("127.0.0.1"), "/") != 200 {
			t.Fatal("shut out by its own")
		}
	}
	if !ended(first) || poll(other, "/") != 200 {
		t.Error("somebody else made room")
	}
	if s := w.listener.Stats(); s.Open != 4 {
		t.Errorf("%+v", s)
	}
}

func TestProxiesAreNotCountedAsOneAddress(t *testing.T) {
	w := newWorld(t, 100, 3, []string{"127.0.0.0/29", "192.0.2.1"})
	var all []net.Conn
	for range 10 {
		c := w.dial("127.0.0.1")
		poll(c, "/")
		all = append(all, c)
	}
	for _, c := range all {
		if poll(c, "/") != 200 {
			t.Fatal("a proxy's connection was ended")
		}
	}
	if _, err := overload.NewListener(nil, 1, 1, []string{"proxy.example.org"}); err == nil {
		t.Error("a name is no address")
	}
}

// Where all are being served, the one that has been for the longest makes room:
// a poll is short.
func TestAPollGetsInAmongConnectionsThatNeverEnd(t *testing.T) {
	w := newWorld(t, 4, 4, nil)
	defer close(w.let)
	for range 4 {
		c := w.dial("127.0.0.1")
		go poll(c, "/slow")
		<-w.serving
	}
	if poll(w.dial("127.0.0.2"), "/") != 200 {
		t.Error("kept out")
	}
}

// Connections that were handed on, watch streams, have bounds of their own.
func TestStreamsMakeNoRoom(t *testing.T) {
	w := newWorld(t, 3, 3, nil)
	var kept []net.Conn
	for range 3 {
		c := w.dial("127.0.0.1")
		if _, err := fmt.Fprint(c, "GET /hijack HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, c)
	}
	late := w.dial("127.0.0.2")
	if !ended(late) {
		t.Error("served beyond the bound")
	}
	if s := w.listener.Stats(); s.Open != 3 || s.Refused != 1 || s.Evicted != 0 {
		t.Errorf("%+v", s)
	}
	for _, c := range kept {
		w.must(c.SetReadDeadline(time.Unix(1, 0)))
		var silent net.Error
		if _, err := io.ReadAll(c); !errors.As(err, &silent) || !silent.Timeout() {
			t.Errorf("a stream was ended: %v", err)
		}
	}
}

func TestPlacesComeBackOverTLSToo(t *testing.T) {
	w := newWorld(t, 4, 4, nil, func(s *httptest.Server) { s.TLS = &tls.Config{} })
	trust := w.server.Client().Transport.(*http.Transport).TLSClientConfig
	dial := func() net.Conn {
		c, err := tls.Dial("tcp", w.server.Listener.Addr().String(), &tls.Config{RootCAs: trust.RootCAs, ServerName: "example.com"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Log(err) // it made room
			}
		})
		return c
	}
	served, answer := dial(), make(chan int, 1)
	go func() { answer <- poll(served, "/slow") }()
	<-w.serving
	for range 17 {
		if poll(dial(), "/") != 200 {
			t.Fatal("not served")
		}
	}
	if s := w.listener.Stats(); s.Open > 4 || s.Evicted != 14 {
		t.Errorf("%+v", s)
	}
	close(w.let)
	if status := <-answer; status != 200 {
		t.Errorf("who was served made room: %d", status)
	}
}

func TestSlowAndGiantHeadsAreEnded(t *testing.T) {
	w := newWorld(t, 100, 100, nil, func(s *httptest.Server) { s.Config.ReadHeaderTimeout = 50 * time.Millisecond })
	slow := w.dial("127.0.0.1")
	if _, err := io.WriteString(slow, "GET / HTTP/1.1\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if !ended(slow) {
		t.Error("a slow head is waited for")
	}
	w = newWorld(t, 100, 100, nil, func(s *httptest.Server) { s.Config.MaxHeaderBytes = 16 << 10 })
	giant := w.dial("127.0.0.1")
	if _, err := io.WriteString(giant, "GET / HTTP/1.1\r\nHost: x\r\nX-Giant: "+strings.Repeat("x", 64<<10)+"\r\n\r\n"); err != nil {
		t.Log(err) // it was ended before it was through
	}
	resp, err := http.ReadResponse(bufio.NewReader(giant), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.must(resp.Body.Close())
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(resp.Status)
	}
}
