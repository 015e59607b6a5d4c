package poll

import (
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// session is a connection that is served here.
type session struct {
	*Listener
	conn  Conn
	until time.Time // the read deadline
	rest  []byte    // what somebody else has to read
	over  bool      // to be closed
}

// What is read at once, and what is written at once; net/http reads as much,
// so that it gets what it is handed in one piece.
const (
	readSize  = 4 << 10
	writeSize = 16 << 10
)

// space is what a request takes while it is answered.
type space struct {
	in  [readSize]byte
	out []byte
}

var spaces = sync.Pool{New: func() any { return &space{out: make([]byte, 0, writeSize)} }}

// serve answers until the connection ends or is handed over.
func (l *Listener) serve(c Conn) {
	s := &session{Listener: l, conn: c}
	defer func() {
		l.forget(c)
		if r := recover(); r != nil {
			l.log.Error("a poll ended in a panic", "panic", r, "stack", string(debug.Stack()))
			l.end(c)
		}
	}()
	raw, err := c.SyscallConn()
	if err == nil {
		s.wait(time.Now(), l.times.First)
		// One Read for all that comes: between two calls it waits for more.
		err = raw.Read(s.readable)
	}
	if err != nil || s.over || s.rest == nil {
		l.end(c) // the peer, a deadline or Close ended it
		return
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		l.end(c)
		return
	}
	c.Unread(s.rest)
	l.hand(c)
}

// wait moves the read deadline to d from now, unless it is nearly there: that
// costs as much as a request does. Close's deadline, once it is set, stays.
func (s *session) wait(now time.Time, d time.Duration) {
	until := now.Add(d)
	if moves := until.Sub(s.until); moves > d/10 || moves < 0 {
		s.until = until
		if err := s.conn.SetReadDeadline(until); err != nil {
			s.over = true
		}
	}
	if s.closing.Load() {
		s.over = true
	}
}

// readable answers all that has come. It is called whenever there may be
// something, and is true if nothing more is to be read here.
func (s *session) readable(fd uintptr) bool {
	for {
		if s.over {
			return true
		}
		sp := spaces.Get().(*space)
		n, err := unix.Read(int(fd), sp.in[:])
		if err == nil && n > 0 {
			s.answer(int(fd), sp, sp.in[:n])
		}
		sp.out = sp.out[:0]
		spaces.Put(sp)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil || n <= 0:
			s.over = true
			return true
		case s.rest != nil:
			return true
		}
	}
}

// answer answers the requests that data holds, up to one that is not for here.
func (s *session) answer(fd int, sp *space, data []byte) {
	now := time.Now()
	for len(data) > 0 && !s.over {
		r, size, ok := parse(data)
		var body []byte
		if ok {
			sp.out, body, ok = s.files.Poll(&r, sp.out)
		}
		if !ok {
			s.rest = append([]byte(nil), data...)
			break
		}
		sp.out = append(dated(sp.out, now), "\r\n\r\n"...)
		if len(sp.out)+len(body) <= cap(sp.out) {
			sp.out = append(sp.out, body...)
		} else {
			s.write(fd, sp.out)
			sp.out = sp.out[:0]
			s.write(fd, body)
		}
		data = data[size:]
	}
	s.write(fd, sp.out)
	s.conn.Idle()
	s.wait(now, s.times.Idle)
}

// write writes what the kernel has room for, and waits with the rest until the
// peer has read, or has not for too long.
func (s *session) write(fd int, b []byte) {
	if len(b) == 0 || s.over {
		return
	}
	n, err := unix.Write(fd, b)
	if n == len(b) && err == nil {
		return
	}
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		s.over = true
		return
	}
	s.conn.Busy()
	b = b[max(n, 0):]
	if err := s.conn.SetWriteDeadline(s.times.Write(len(b))); err != nil {
		s.over = true
		return
	}
	if _, err := s.conn.Write(b); err != nil {
		s.over = true
	}
}

// date is the field of one second.
type date struct {
	second int64
	text   string
}

var today atomic.Pointer[date]

// dated adds the Date.
func dated(b []byte, now time.Time) []byte {
	d := today.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat)}
		today.Store(d)
	}
	return append(b, d.text...)
}
