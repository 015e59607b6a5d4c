package watch_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/watch"
)

const phone manifests.Product = "phone"

// world is a hub behind a real listener. Addresses are what a request says.
type world struct {
	*testing.T
	hub    *watch.Hub
	server *httptest.Server
}

func newWorld(t *testing.T, secure bool, o watch.Options) *world {
	t.Helper()
	w := &world{T: t, hub: watch.New(o)}
	w.hub.Moved(map[manifests.Product]uint64{phone: 1})
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddr(r.Header.Get("From"))
		if err != nil {
			from = netip.Addr{}
		}
		if err := w.hub.Open(rw, r, manifests.Product(strings.TrimPrefix(r.URL.Path, "/")), from); err != nil {
			rw.Header().Set("Retry-After", "60")
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	if secure {
		w.server.StartTLS()
	} else {
		w.server.Start()
	}
	t.Cleanup(w.server.Close)
	t.Cleanup(w.hub.Close)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// stream is a handset's end.
type stream struct {
	*world
	conn  net.Conn
	lines *bufio.Reader
	head  []string
}

func (w *world) dial() net.Conn {
	w.Helper()
	address := w.server.Listener.Addr().String()
	if w.server.TLS == nil {
		conn, err := net.Dial("tcp", address)
		w.must(err)
		return conn
	}
	trust := w.server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.ServerName = "example.com"
	conn, err := tls.Dial("tcp", address, trust)
	w.must(err)
	return conn
}

// open asks for a stream and reads its head.
func (w *world) open(product manifests.Product, from string) *stream {
	w.Helper()
	s := &stream{world: w, conn: w.dial()}
	w.Cleanup(func() {
		if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.Log(err)
		}
	})
	_, err := fmt.Fprintf(s.conn, "GET /%s HTTP/1.1\r\nHost: x\r\nFrom: %s\r\n\r\n", product, from)
	w.must(err)
	s.lines = bufio.NewReader(s.conn)
	for {
		line := s.line()
		if line == "" {
			return s
		}
		s.head = append(s.head, line)
	}
}

func (s *stream) line() string {
	s.Helper()
	line, err := s.lines.ReadString('\n')
	s.must(err)
	return strings.TrimRight(line, "\r\n")
}

// next is the next line that says something.
func (s *stream) next() string {
	s.Helper()
	for {
		if line := s.line(); line != "" && line != ":" {
			return line
		}
	}
}

// hello reads what a stream begins with and gives where the product stands.
func (s *stream) hello() string {
	s.Helper()
	if line := s.next(); !strings.HasPrefix(line, "retry: ") {
		s.Fatalf("begins with %q", line)
	}
	return s.event()
}

// event is the data of the next event.
func (s *stream) event() string {
	s.Helper()
	if line := s.next(); line != "event: head" {
		s.Fatalf("%q instead of an event", line)
	}
	return strings.TrimPrefix(s.next(), "data: ")
}

// until waits, on the hub's own progress, for the counts to be so.
func (w *world) until(what string, f func(watch.Stats) bool) {
	w.Helper()
	probe := w.open(phone, "192.0.2.250") // its heartbeats are the clock
	probe.hello()
	for range 400 {
		if f(w.hub.Stats()) {
			w.must(probe.conn.Close())
			return
		}
		probe.line()
	}
	w.Fatalf("%s never came: %+v", what, w.hub.Stats())
}
