package load

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// addresses are those of 127.0.0.0/8 that a run on this machine comes from.
const addresses = 1 << 20

// source is the loopback address of a handset. A server limits what one address
// may ask for, and a fleet has many.
func source(n int) net.IP {
	n %= addresses
	return net.IPv4(127, byte(1+n>>16), byte(n>>8), byte(n))
}

// dialFrom makes connections to servers on this machine from an address of its
// own, and to others as the system does.
func dialFrom(from func() net.IP) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: 10 * time.Second}
		if host, _, err := net.SplitHostPort(address); err == nil && (host == "localhost" || net.ParseIP(host).To4().IsLoopback()) {
			d.LocalAddr = &net.TCPAddr{IP: from()}
		}
		return d.DialContext(ctx, network, address)
	}
}

// inTurn gives one address after the other.
func inTurn() func() net.IP {
	var n atomic.Int64
	return func() net.IP { return source(int(n.Add(1))) }
}
