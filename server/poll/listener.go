package poll

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Files answers from memory. It is safe for concurrent use.
type Files interface {
	// Poll gives the answer to r: status line and fields, each with its line
	// end, are appended to head, without Date and the empty line; body is not
	// changed by anybody. ok is false, and nothing was done, if r is for
	// somebody else.
	Poll(r *Request, head []byte) (answer, body []byte, ok bool)
}

// Conn is a connection that can be handed over.
type Conn interface {
	net.Conn
	syscall.Conn
	// Unread gives back what was read.
	Unread(b []byte)
	// Busy and Idle tell whether a request is answered.
	Busy()
	Idle()
}

// Times bound how long a connection is waited for.
type Times struct {
	First time.Duration // for its first request
	Idle  time.Duration // for the next one, to within a tenth
	// Write gives until when so many bytes may be written, to a peer that does
	// not read at once.
	Write func(size int) time.Time
}

// Listener accepts connections and serves them, until it hands them over.
type Listener struct {
	net.Listener
	files Files
	times Times
	log   *slog.Logger

	handed  chan net.Conn
	failed  chan error
	closed  chan struct{}
	closing atomic.Bool
	serving sync.WaitGroup

	mu   sync.Mutex
	open map[Conn]struct{}
}

// NewListener begins to accept the connections of l. Those that are not Conns
// are handed over at once.
func NewListener(l net.Listener, files Files, times Times, log *slog.Logger) *Listener {
	out := &Listener{
		Listener: l, files: files, times: times, log: log,
		handed: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{}), open: map[Conn]struct{}{},
	}
	go out.accept()
	return out
}

// Accept gives the next connection that is not served here, or that is not
// any more.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.handed:
		return c, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// accept serves until the listener is closed. Whoever calls Accept is told of
// errors, and decides how long to wait after one.
func (l *Listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			select {
			case l.failed <- err:
				continue
			case <-l.closed:
				return
			}
		}
		if conn, ok := c.(Conn); ok {
			l.begin(conn)
		} else {
			l.hand(c)
		}
	}
}

// hand gives a connection to whoever calls Accept.
func (l *Listener) hand(c net.Conn) {
	select {
	case l.handed <- c:
	case <-l.closed:
		l.end(c)
	}
}

func (l *Listener) end(c net.Conn) {
	if err := c.Close(); err != nil {
		return // it was closed already
	}
}

func (l *Listener) begin(c Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Load() {
		l.end(c)
		return
	}
	l.open[c] = struct{}{}
	l.serving.Go(func() { l.serve(c) })
}

// forget is for a connection that is not served here any more.
func (l *Listener) forget(c Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// Close accepts no more, and ends the connections that ask for nothing; what
// is being answered is answered.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Swap(true) {
		return nil
	}
	close(l.closed)
	for c := range l.open {
		if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
			continue // it is being closed
		}
	}
	return l.Listener.Close()
}

// Shutdown closes the listener and waits for the last answers, or for ctx.
func (l *Listener) Shutdown(ctx context.Context) error {
	err := l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.serving.Wait()
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
