package watch_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/watch"
)

const soon = 50 * time.Millisecond // between heartbeats

// both runs a test over TCP and over TLS.
func both(t *testing.T, o watch.Options, test func(*world)) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) { test(newWorld(t, secure, o)) })
	}
}

func TestEveryStreamIsWokenWhenItsProductMoves(t *testing.T) {
	both(t, watch.Options{}, func(w *world) {
		w.hub.Moved(map[manifests.Product]uint64{phone: 41, "clock": 7})
		var phones []*stream
		for range 20 {
			s := w.open(phone, "192.0.2.1")
			if at := s.hello(); at != "41" {
				t.Fatalf("stands at %q", at)
			}
			phones = append(phones, s)
		}
		other := w.open("clock", "192.0.2.1")
		other.hello()
		w.hub.Moved(map[manifests.Product]uint64{phone: 42, "clock": 7})
		for _, s := range phones {
			if at := s.event(); at != "42" {
				t.Fatalf("told %q", at)
			}
		}
		w.hub.Moved(map[manifests.Product]uint64{phone: 40, "clock": 8})
		if at := other.event(); at != "8" {
			t.Errorf("the other product was told %q", at)
		}
	})
}

func TestStreamsPassThroughProxies(t *testing.T) {
	w := newWorld(t, false, watch.Options{})
	head := w.open(phone, "").head
	if head[0] != "HTTP/1.1 200 OK" {
		t.Error(head[0])
	}
	for _, line := range []string{"Content-Type: text/event-stream", "Cache-Control: no-store", "X-Accel-Buffering: no", "Connection: close"} {
		if !slices.Contains(head, line) {
			t.Errorf("no %q in %q", line, head)
		}
	}
	if slices.ContainsFunc(head, func(l string) bool {
		return strings.HasPrefix(l, "Content-Length") || strings.HasPrefix(l, "Set-Cookie")
	}) {
		t.Errorf("%q", head)
	}
}

func TestSilentStreamsGetHeartbeats(t *testing.T) {
	both(t, watch.Options{Heartbeat: soon}, func(w *world) {
		s := w.open(phone, "")
		s.hello()
		for range 3 {
			if a, b := s.line(), s.line(); a != "" && b != "" || a != ":" && b != ":" {
				t.Fatalf("%q, %q", a, b)
			}
		}
	})
}

func TestStreamsBeyondTheBoundsAreRefused(t *testing.T) {
	w := newWorld(t, false, watch.Options{Streams: 4, PerAddress: 2, Heartbeat: soon})
	refused := func(from string, want error) {
		t.Helper()
		s := w.open(phone, from)
		body, err := io.ReadAll(io.LimitReader(s.lines, int64(len(want.Error()))))
		w.must(err)
		if s.head[0] != "HTTP/1.1 503 Service Unavailable" || string(body) != want.Error() {
			t.Errorf("%s: %q %q", from, s.head[0], body)
		}
	}
	first := w.open(phone, "2001:db8::1")
	first.hello()
	w.open(phone, "2001:db8::2").hello()
	refused("2001:db8::3", watch.ErrAddressFull) // one network
	refused("2001:db8:0:0:ffff::", watch.ErrAddressFull)
	w.open(phone, "2001:db8:0:1::1").hello()
	last := w.open(phone, "192.0.2.1")
	last.hello()
	refused("192.0.2.2", watch.ErrFull)
	w.must(last.conn.Close())
	w.must(first.conn.Close())
	// Places come free without the peers' saying so.
	for w.hub.Stats().Open > 2 {
		w.hub.Moved(map[manifests.Product]uint64{phone: uint64(w.hub.Stats().Woken) + 2})
	}
	w.open(phone, "2001:db8::3").hello()
	if s := w.hub.Stats(); s.Refused != 3 {
		t.Errorf("%+v", s)
	}
}

func TestUnknownProductsOpenNothing(t *testing.T) {
	w := newWorld(t, false, watch.Options{})
	if head := w.open("none", "").head; head[0] != "HTTP/1.1 503 Service Unavailable" || w.hub.Stats().Opened != 0 {
		t.Errorf("%q %+v", head[0], w.hub.Stats())
	}
}

func TestPeersThatLeaveAreNoticed(t *testing.T) {
	both(t, watch.Options{Heartbeat: soon}, func(w *world) {
		for range 10 {
			s := w.open(phone, "192.0.2.1")
			s.hello()
			w.must(s.conn.Close())
		}
		w.until("the end of ten streams", func(s watch.Stats) bool { return s.Gone == 10 && s.Open == 1 })
	})
}

func TestPeersThatTalkAreDropped(t *testing.T) {
	w := newWorld(t, false, watch.Options{Heartbeat: soon})
	s := w.open(phone, "192.0.2.1")
	s.hello()
	_, err := io.WriteString(s.conn, "GET /phone HTTP/1.1\r\n\r\n")
	w.must(err)
	w.until("the end of the stream", func(s watch.Stats) bool { return s.Gone == 1 })
}

// A peer that does not read costs the others nothing, and is dropped once the
// kernel has no room for it.
func TestSlowReadersAreDroppedAndNeverWaitedFor(t *testing.T) {
	both(t, watch.Options{}, func(w *world) {
		slow := w.open(phone, "192.0.2.1")
		if tcp, ok := slow.conn.(*net.TCPConn); ok {
			w.must(tcp.SetReadBuffer(1))
		}
		quick := w.open(phone, "192.0.2.2")
		quick.hello()
		heard := make(chan uint64, 1)
		go func() {
			defer close(heard)
			for {
				line, err := quick.lines.ReadString('\n')
				if err != nil {
					return
				}
				if v, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(line, "data: ")), 10, 64); err == nil {
					select {
					case heard <- v:
					default:
					}
				}
			}
		}()
		// Each round waits for the quick one alone.
		for v := uint64(2); w.hub.Stats().Slow == 0; v++ {
			w.hub.Moved(map[manifests.Product]uint64{phone: v})
			if v%64 == 0 {
				<-heard
			}
			if v > 50_000_000 {
				t.Fatalf("never dropped: %+v", w.hub.Stats())
			}
		}
		if s := w.hub.Stats(); s.Open != 1 || s.Gone != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestClosingSendsEachAwayWithATimeOfItsOwn(t *testing.T) {
	both(t, watch.Options{}, func(w *world) {
		const n = 64
		var streams []*stream
		for range n {
			s := w.open(phone, "192.0.2.1")
			s.hello()
			streams = append(streams, s)
		}
		w.hub.Close()
		times := map[string]bool{}
		for _, s := range streams {
			line := s.next()
			ms, err := strconv.Atoi(strings.TrimPrefix(line, "retry: "))
			if err != nil || ms < 5_000 || ms > 600_000 {
				t.Fatalf("%q", line)
			}
			times[line] = true
			if rest, err := io.ReadAll(s.lines); err != nil || string(rest) != "\n" {
				t.Fatalf("%q %v", rest, err)
			}
		}
		if len(times) < n/2 {
			t.Errorf("%d times for %d handsets", len(times), n)
		}
		if s := w.hub.Stats(); s.Open != 0 {
			t.Errorf("%+v", s)
		}
		if head := w.open(phone, "").head; head[0] != "HTTP/1.1 503 Service Unavailable" {
			t.Errorf("opened after the end: %q", head[0])
		}
	})
}

func TestHTTP2IsToldToComeBackWithHTTP1(t *testing.T) {
	w := newWorld(t, false, watch.Options{})
	r := httptest.NewRequest(http.MethodGet, "/phone", nil)
	r.ProtoMajor = 2
	if err := w.hub.Open(httptest.NewRecorder(), r, phone, netip.Addr{}); !errors.Is(err, watch.ErrVersion) {
		t.Error(err)
	}
}

// Opening, moving, leaving and closing at once: for the race detector, and no
// place is lost.
func TestPlacesAreNeverLost(t *testing.T) {
	w := newWorld(t, false, watch.Options{Heartbeat: soon})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 25 {
				conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := fmt.Fprintf(conn, "GET /phone HTTP/1.1\r\nHost: x\r\nFrom: 192.0.2.%d\r\n\r\n", i); err != nil {
					t.Error(err)
				}
				if _, err := conn.Read(make([]byte, 100)); err != nil {
					t.Error(err)
				}
				w.hub.Moved(map[manifests.Product]uint64{phone: uint64(time.Now().UnixNano())})
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.hub.Close()
	if s := w.hub.Stats(); s.Open != 0 || s.Opened+s.Gone < 200 {
		t.Errorf("%+v", s)
	}
}
