package watch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stream is one open connection. It belongs to one goroutine at a time.
type stream struct {
	conn  net.Conn // with TLS, if there is
	raw   syscall.RawConn
	topic *topic
	from  netip.Prefix
	told  uint64
	heard time.Duration // when it was last written to, since epoch
}

// epoch is when this process began.
var epoch = time.Now()

// condition is what can be done with a stream at once.
type condition int

const (
	ready condition = iota
	full            // the peer does not read
	gone            // the peer ended it, or sent what it has no business to
)

// newStream prepares a connection that net/http no longer knows.
func newStream(conn net.Conn, silence time.Duration) (*stream, error) {
	s := &stream{conn: conn}
	socket, ok := s.socket().(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a stream over %T cannot be watched", s.socket())
	}
	var err error
	if s.raw, err = socket.SyscallConn(); err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	var failed error
	err = s.raw.Control(func(fd uintptr) {
		// Heartbeats are enough; the kernel's own, every 15 s, would wake radios.
		failed = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds())),
		)
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return s, nil
}

// socket is the connection below TLS.
func (s *stream) socket() net.Conn {
	if t, ok := s.conn.(*tls.Conn); ok {
		return t.NetConn()
	}
	return s.conn
}

// look asks the kernel, without waiting. Whoever sends anything on a stream is
// not a handset of ours, or says goodbye in TLS: both are gone.
func (s *stream) look() condition {
	var n int
	var err error
	fds := []unix.PollFd{{Events: unix.POLLOUT | unix.POLLIN | unix.POLLRDHUP}}
	failed := s.raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		n, err = unix.Poll(fds, 0)
	})
	switch {
	case failed != nil:
		return gone
	case errors.Is(err, unix.EINTR):
		return ready
	case err != nil || fds[0].Revents&^unix.POLLOUT != 0:
		return gone
	case n == 0:
		return full
	}
	return ready
}

// write writes a few bytes, only if the kernel has room for them: POLLOUT says
// that a third of its buffer is free.
func (s *stream) write(data []byte) condition {
	if c := s.look(); c != ready {
		return c
	}
	if _, err := s.conn.Write(data); err != nil {
		return gone
	}
	s.heard = time.Since(epoch)
	return ready
}

// cut ends a stream whose peer does not listen any more: no goodbye of TLS, on
// which Close would wait.
func (s *stream) cut() {
	if err := s.socket().Close(); err != nil {
		return // it was cut already
	}
}

// end ends a stream whose peer listens.
func (s *stream) end() {
	if err := s.conn.Close(); err != nil {
		return // the peer was faster
	}
}
