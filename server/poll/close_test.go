package poll_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/poll"
)

// Shutdown ends who waits, answers who has asked, and then returns.
func TestShutdownAnswersWhoHasAsked(t *testing.T) {
	times := long
	times.Idle = 10 * time.Minute // so that the deadline is moved after an answer
	w := newWorld(t, times, 10)
	idle, fresh, busy := w.dial(), w.dial(), w.dial()
	idle.asks(get, "200 "+small)
	busy.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := busy.r.Peek(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a test that hangs says where
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.listener.Shutdown(ctx) }()
	idle.isClosed()
	fresh.isClosed()
	select {
	case err := <-done:
		t.Errorf("has not waited for an answer: %v", err)
	default:
	}
	if got := busy.answer(); len(got) != 4+len(w.files.large) {
		t.Errorf("%d bytes", len(got))
	}
	w.must(<-done)
	busy.isClosed()
	if _, err := net.Dial("tcp", w.inner.Addr().String()); err == nil {
		t.Error("is still listening")
	}
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	w := newWorld(t, long, 10)
	p := w.dial()
	p.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := p.r.Peek(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.listener.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w.must(p.Close())
}

// What net/http serves is not the listener's to end.
func TestCloseLeavesWhatWasHandedOver(t *testing.T) {
	w := newWorld(t, long, 10)
	p := w.dial()
	p.send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n")
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // the handler reads
		if got, err := p.r.ReadString('\n'); err != nil || got != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	p.send("half")
	w.must(w.listener.Close())
	p.asks("half", "200 net/http: POST /a halfhalf")
}

// held is a listener that has a connection ready when it is closed.
type held struct {
	net.Listener
	conn   net.Conn
	closed chan struct{}
}

func (h *held) Accept() (net.Conn, error) {
	<-h.closed
	if c := h.conn; c != nil {
		h.conn = nil
		return c, nil
	}
	return nil, net.ErrClosed
}

func (h *held) Close() error {
	close(h.closed)
	return h.Listener.Close()
}

func TestConnectionThatComesWithTheEndIsClosed(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner, err := overload.NewListener(tcp, 10, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := inner.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l := poll.NewListener(&held{inner, conn, make(chan struct{})}, &files{}, long, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := peer.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := peer.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is open: %v", err)
	}
	if err := peer.Close(); err != nil {
		t.Error(err)
	}
}
