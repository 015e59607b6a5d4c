package poll_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/poll"
)

// files answers for two names, and panics at a third.
type files struct{ large []byte }

const (
	small   = "small"
	noMatch = "304"
)

func (f *files) Poll(r *poll.Request, head []byte) (answer, body []byte, ok bool) {
	switch string(r.Path) {
	case "/small":
		body = []byte(small)
	case "/large":
		body = f.large
	case "/panic":
		panic("as the test wants it")
	default:
		return head, nil, false
	}
	if string(r.Match) == noMatch {
		return append(head, "HTTP/1.1 304 Not Modified\r\n"...), nil, true
	}
	return fmt.Appendf(head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", len(body)), body, true
}

// world is a listener whose connections net/http takes over; it says so in its
// answers.
type world struct {
	*testing.T
	files    files
	log      safe
	inner    *overload.Listener
	listener *poll.Listener
	server   *http.Server
	ended    chan error
}

// safe is a log that many write.
type safe struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *safe) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// long are times that no test waits for.
var long = poll.Times{First: time.Minute, Idle: time.Minute, Write: func(int) time.Time { return time.Now().Add(time.Minute) }}

func newWorld(t *testing.T, times poll.Times, most int) *world {
	t.Helper()
	w := &world{T: t, files: files{large: bytes.Repeat([]byte("large"), 4<<20)}, ended: make(chan error, 1)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	w.inner, err = overload.NewListener(l, most, most, nil)
	w.must(err)
	w.listener = poll.NewListener(w.inner, &w.files, times, slog.New(slog.NewTextHandler(&w.log, nil)))
	w.server = &http.Server{
		ReadHeaderTimeout: time.Minute, ConnState: w.inner.State,
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(rw, "net/http: %s %s %s", r.Method, r.URL, body); err != nil {
				return
			}
		}),
	}
	go func() { w.ended <- w.server.Serve(w.listener) }()
	t.Cleanup(func() {
		w.must(w.server.Close())
		w.must(w.listener.Shutdown(context.Background()))
		if err := <-w.ended; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// peer is the other end of a connection.
type peer struct {
	*world
	net.Conn
	r *bufio.Reader
}

func (w *world) dial() *peer {
	w.Helper()
	c, err := net.Dial("tcp", w.inner.Addr().String())
	w.must(err)
	w.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.Error(err)
		}
	})
	w.must(c.SetDeadline(time.Now().Add(30 * time.Second))) // a test that hangs says where
	return &peer{w, c, bufio.NewReader(c)}
}

func (p *peer) send(text string) {
	p.Helper()
	_, err := io.WriteString(p, text)
	p.must(err)
}

// answer reads one answer.
func (p *peer) answer() string {
	p.Helper()
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	p.must(errors.Join(err, resp.Body.Close()))
	if resp.Header.Get("Date") == "" {
		p.Error("an answer without a date")
	}
	return strconv.Itoa(resp.StatusCode) + " " + string(body)
}

func (p *peer) asks(text, want string) {
	p.Helper()
	p.send(text)
	if got := p.answer(); got != want {
		p.Errorf("%q is answered %q", text, got)
	}
}

// isServed asks, and tells whether an answer came before the connection ended.
func (p *peer) isServed(text string) bool {
	p.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		return false
	}
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close()) == nil
}

// isClosed waits until the server has ended the connection.
func (p *peer) isClosed() {
	p.Helper()
	b, err := p.r.ReadByte()
	var late net.Error
	if err == nil || errors.As(err, &late) && late.Timeout() {
		p.Errorf("the connection is open: %q, %v", b, err)
	}
}

const (
	get      = "GET /small HTTP/1.1\r\nHost: x\r\n\r\n"
	getAgain = "GET /small HTTP/1.1\r\nHost: x\r\nIf-None-Match: 304\r\n\r\n"
	getOther = "GET /other HTTP/1.1\r\nHost: x\r\n\r\n"
	post     = "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
)
