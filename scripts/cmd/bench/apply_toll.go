package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// toll stands between a handset and the server and counts what of the blobs
// crosses. Its own buffers are small, so that what it sent has arrived.
type toll struct {
	address string
	server  string
	http    *http.Server

	mu       sync.Mutex
	requests int
	bytes    int64
	twice    int64               // bytes that crossed before
	crossed  map[string][]uint64 // by path, a bit for each byte
	at       int64               // bytes at which reached is closed
	reached  chan struct{}
}

func newToll(server string) (*toll, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &toll{address: "http://" + listener.Addr().String(), server: server, crossed: map[string][]uint64{}}
	t.http = &http.Server{Handler: t, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		if tcp, ok := c.(*net.TCPConn); ok {
			if err := tcp.SetWriteBuffer(8 << 10); err != nil {
				return ctx // then it counts a little too much
			}
		}
		return ctx
	}}
	go func() {
		if err := t.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println("bench: toll:", err)
		}
	}()
	return t, nil
}

func (t *toll) close() error { return t.http.Close() }

// fresh forgets what crossed.
func (t *toll) fresh() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests, t.bytes, t.twice, t.crossed = 0, 0, 0, map[string][]uint64{}
}

// again is how many bytes crossed more than once.
func (t *toll) again() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.twice
}

// after gives a channel that is closed once so many bytes have crossed.
func (t *toll) after(bytes int64) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at, t.reached = bytes, make(chan struct{})
	return t.reached
}

func (t *toll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, t.server+r.URL.RequestURI(), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	out.Header = r.Header.Clone()
	in, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	for name, values := range in.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(in.StatusCode)
	blob, from := strings.HasPrefix(r.URL.Path, "/blobs/"), int64(0)
	if blob {
		t.mu.Lock()
		t.requests++
		t.mu.Unlock()
		if _, err := fmt.Sscanf(in.Header.Get("Content-Range"), "bytes %d-", &from); err != nil {
			from = 0 // all of it
		}
	}
	failure := t.carry(w, in.Body, r.URL.Path, blob, from)
	if err := errors.Join(failure, in.Body.Close()); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// carry passes a body on. A handset that is gone is no failure.
func (t *toll) carry(w io.Writer, body io.Reader, path string, count bool, from int64) error {
	buffer := make([]byte, 16<<10)
	for {
		n, err := body.Read(buffer)
		if _, werr := w.Write(buffer[:n]); werr != nil {
			return nil
		}
		if count {
			t.crosses(path, from, int64(n))
			from += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *toll) crosses(path string, from, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes += n
	bits := t.crossed[path]
	for need := int((from+n)/64) + 1; len(bits) < need; {
		bits = append(bits, make([]uint64, max(need-len(bits), 1<<14))...)
	}
	for i := from; i < from+n; i++ {
		if mask := uint64(1) << (i % 64); bits[i/64]&mask != 0 {
			t.twice++
		} else {
			bits[i/64] |= mask
		}
	}
	t.crossed[path] = bits
	if t.reached != nil && t.bytes >= t.at {
		close(t.reached)
		t.reached = nil
	}
}
