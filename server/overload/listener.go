package overload

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Listener bounds the connections of a listener. It never lets one wait in
// front of it: a new one gets its place, or is closed.
type Listener struct {
	net.Listener
	most, perAddress int
	proxies          []netip.Prefix
	clock            atomic.Int64 // connections so far: how long one has waited, without a clock
	evicted, refused atomic.Int64

	mu   sync.Mutex
	open []*Conn
	from map[netip.Prefix]int
}

// NewListener bounds l. Addresses of proxies are counted in all only: whoever
// is behind them is not known here.
func NewListener(l net.Listener, most, perAddress int, proxies []string) (*Listener, error) {
	out := &Listener{Listener: l, most: most, perAddress: perAddress, from: map[netip.Prefix]int{}}
	for _, p := range proxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			addr, failed := netip.ParseAddr(p)
			if failed != nil {
				return nil, fmt.Errorf("trusted proxy %q is neither an address nor a network", p)
			}
			prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		out.proxies = append(out.proxies, prefix.Masked())
	}
	return out, nil
}

// Accept gives the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, nil
		}
		if counted := l.admit(tcp); counted != nil {
			return counted, nil
		}
		l.refused.Add(1)
		if err := tcp.Close(); err != nil {
			continue // it has gone by itself
		}
	}
}

// admit counts a connection and ends another if there are too many; nil if
// none can be ended.
func (l *Listener) admit(tcp *net.TCPConn) *Conn {
	c := &Conn{TCPConn: tcp, listener: l, from: l.network(tcp)}
	c.since.Store(l.clock.Add(1))
	l.mu.Lock()
	var victim *Conn
	room := true
	switch {
	case c.from.IsValid() && l.from[c.from] >= l.perAddress:
		victim = l.oldest(func(o *Conn) bool { return o.from == c.from })
		room = victim != nil
	case len(l.open) >= l.most:
		victim = l.oldest(func(*Conn) bool { return true })
		room = victim != nil
	}
	if victim != nil {
		l.remove(victim)
	}
	if room {
		c.at = len(l.open)
		l.open = append(l.open, c)
		if c.from.IsValid() {
			l.from[c.from]++
		}
	}
	l.mu.Unlock()
	if victim != nil {
		l.evicted.Add(1)
		if err := victim.TCPConn.Close(); err != nil {
			victim = nil // it was about to go
		}
	}
	if !room {
		return nil
	}
	return c
}

// network is what counts as one address: an IPv6 network of 64 bits is one
// party's. It is not valid for proxies.
func (l *Listener) network(tcp *net.TCPConn) netip.Prefix {
	remote, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr := remote.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range l.proxies {
		if p.Contains(addr) {
			return netip.Prefix{}
		}
	}
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// samples is how many connections are looked at for the one to end: enough for
// it to be among the oldest tenth, almost surely.
const samples = 64

// oldest finds, among some, the connection that has waited for the longest; if
// none waits, the one that has been served for the longest; nil if all are
// kept. A lock is held.
func (l *Listener) oldest(may func(*Conn) bool) *Conn {
	var best *Conn
	bestState := kept
	start, step := 0, 1
	if n := len(l.open); n > samples {
		start = rand.IntN(n)
		step = 1 + rand.IntN(n/samples)
	}
	for i := range min(len(l.open), samples) {
		c := l.open[(start+i*step)%len(l.open)]
		state := c.state.Load()
		if state == kept || !may(c) {
			continue
		}
		if best == nil || state < bestState || state == bestState && c.since.Load() < best.since.Load() {
			best, bestState = c, state
		}
	}
	return best
}

// remove forgets a connection, once. A lock is held.
func (l *Listener) remove(c *Conn) {
	if c.at < 0 {
		return
	}
	last := len(l.open) - 1
	l.open[c.at] = l.open[last]
	l.open[c.at].at = c.at
	l.open[last] = nil
	l.open = l.open[:last]
	c.at = -1
	if !c.from.IsValid() {
		return
	}
	if l.from[c.from]--; l.from[c.from] == 0 {
		delete(l.from, c.from)
	}
}

// State is for http.Server's ConnState. The poll path calls it twice for each
// request: it takes no lock.
func (l *Listener) State(c net.Conn, s http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	counted, ok := c.(*Conn)
	if !ok {
		return
	}
	switch s {
	case http.StateActive: // its head has come
		counted.Busy()
	case http.StateHijacked:
		counted.become(kept)
	case http.StateIdle:
		counted.Idle()
	}
}

// ConnectionStats are counted since the start, but for Open.
type ConnectionStats struct {
	Open    int
	Evicted int64 // to make room for a new one
	Refused int64 // new ones for which none could make room
}

// Stats gives the counts of now.
func (l *Listener) Stats() ConnectionStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ConnectionStats{Open: len(l.open), Evicted: l.evicted.Load(), Refused: l.refused.Load()}
}
