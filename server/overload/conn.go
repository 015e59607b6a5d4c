package overload

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"
)

// Conn is a connection that is counted. Its TCP is embedded, so that files are
// still sent by the kernel. Who serves it says what it does (Busy, Idle): what
// has been idle for the longest makes room first.
type Conn struct {
	*net.TCPConn
	listener *Listener
	from     netip.Prefix // not valid: not counted by address
	at       int          // in open
	state    atomic.Int32
	since    atomic.Int64 // of the listener's clock
	unread   []byte
}

// What a connection does. Reading a request's head is still waiting.
const (
	waiting int32 = iota
	served
	kept // hijacked: others bound it
)

// Busy says that a request is answered.
func (c *Conn) Busy() { c.become(served) }

// Idle says that the next request is waited for.
func (c *Conn) Idle() { c.become(waiting) }

func (c *Conn) become(state int32) {
	c.state.Store(state)
	c.since.Store(c.listener.clock.Load())
}

// Unread gives back bytes that were read, which are then kept until they are
// read again, before all others. Nobody reads meanwhile.
func (c *Conn) Unread(b []byte) { c.unread = append(b, c.unread...) }

// Read reads what was given back, then what comes.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.unread) == 0 {
		return c.TCPConn.Read(b)
	}
	n := copy(b, c.unread)
	if c.unread = c.unread[n:]; len(c.unread) == 0 {
		c.unread = nil
	}
	return n, nil
}

// WriteTo is what io.Copy asks for.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.unread)
	c.unread = c.unread[n:]
	if err != nil {
		return int64(n), err
	}
	more, err := c.TCPConn.WriteTo(w)
	return int64(n) + more, err
}

// Close ends the connection and gives its place back.
func (c *Conn) Close() error {
	c.listener.mu.Lock()
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.TCPConn.Close()
}
