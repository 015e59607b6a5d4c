package watch

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// ErrVersion means that a stream was asked for over HTTP/2.
var ErrVersion = errors.New("a watch stream needs HTTP/1.1")

// head is what every stream begins with, but for the date. The body ends with
// the connection. X-Accel-Buffering keeps nginx from collecting events.
const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n" +
	"X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nDate: "

// Open takes the connection of a request and makes it a stream. Until it has
// returned nil, nothing was written, and the caller answers. from is who is
// counted; an address that is not valid counts as one of its own.
func (h *Hub) Open(w http.ResponseWriter, r *http.Request, product manifests.Product, from netip.Addr) error {
	if r.ProtoMajor != 1 {
		return ErrVersion
	}
	network := networkOf(from)
	t, err := h.admit(product, network)
	if err != nil {
		return err
	}
	defer h.opening.Done()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		h.release(network)
		return fmt.Errorf("watch: %w", err)
	}
	s, err := newStream(conn, 2*h.options.Heartbeat)
	if err != nil || buffered.Reader.Buffered() > 0 {
		h.release(network)
		h.counts.gone.Add(1)
		return errors.Join(err, conn.Close()) // there is nobody to answer to
	}
	s.topic, s.from, s.told = t, network, t.version.Load()
	hello := append([]byte(head), time.Now().UTC().Format(http.TimeFormat)+"\r\n\r\n"...)
	hello = headEvent(retryEvent(hello, h.comeBack()), s.told)
	if s.write(hello) != ready {
		s.cut()
		h.release(network)
		h.counts.gone.Add(1)
		return nil
	}
	h.counts.opened.Add(1)
	h.join(s)
	return nil
}

// networkOf is what counts as one address: an IPv6 network of 64 bits belongs
// to one party.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked()
	}
	return netip.PrefixFrom(a, 32)
}
