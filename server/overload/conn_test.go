package overload_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/candor-ota/candor/server/overload"
)

// accepted gives both ends of a connection that is counted.
func accepted(t *testing.T) (*overload.Conn, net.Conn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := overload.NewListener(inner, 10, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), l.Close()); err != nil {
			t.Error(err)
		}
	})
	return c.(*overload.Conn), peer
}

// What is given back comes before all else, the last first, in pieces of any
// size, and by whichever way it is read.
func TestWhatIsGivenBackIsReadAgainInItsOrder(t *testing.T) {
	for size := 1; size <= 10; size++ {
		c, peer := accepted(t)
		if _, err := peer.Write([]byte("never read")); err != nil {
			t.Fatal(err)
		}
		if err := peer.Close(); err != nil {
			t.Fatal(err)
		}
		c.Unread([]byte("second, "))
		c.Unread([]byte("first, "))
		piece := make([]byte, size)
		n, err := c.Read(piece)
		if err != nil || n == 0 {
			t.Fatalf("%d, %v", n, err)
		}
		rest := new(bytes.Buffer)
		if _, err := c.WriteTo(rest); err != nil {
			t.Fatal(err)
		}
		if got := string(piece[:n]) + rest.String(); got != "first, second, never read" {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
	c, peer := accepted(t)
	c.Unread([]byte("by and "))
	if _, err := peer.Write([]byte("by")); err != nil {
		t.Fatal(err)
	}
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "by and by" {
		t.Errorf("%q, %v", got, err)
	}
}
