package fetch

import (
	"context"
	"net"
	"net/http/httptrace"
)

// narrow has the connection of a request take in no more than window bytes
// ahead of its reader. A connection that can not be told so keeps its window.
func narrow(ctx context.Context, window int) context.Context {
	if window <= 0 {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		conn := got.Conn
		if inner, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
			conn = inner.NetConn()
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			if err := tcp.SetReadBuffer(window); err != nil {
				return // the window is a matter of thrift, not of safety
			}
		}
	}})
}
