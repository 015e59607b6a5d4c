package world_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// valve stands between a server and its ledger. While it is shut nothing passes,
// in either direction, and no connection breaks.
type valve struct {
	address string
	mu      sync.Mutex
	opened  *sync.Cond
	shut    bool
}

func newValve(t *testing.T, to string) *valve {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{address: l.Addr().String()}
	v.opened = sync.NewCond(&v.mu)
	t.Cleanup(func() { // connections end with their servers
		v.turn(false)
		l.Close()
	})
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go v.pass(out, in)
			go v.pass(in, out)
		}
	}()
	return v
}

// pass copies until either end is closed.
func (v *valve) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		v.mu.Lock()
		for v.shut {
			v.opened.Wait()
		}
		v.mu.Unlock()
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (v *valve) turn(shut bool) {
	v.mu.Lock()
	v.shut = shut
	v.mu.Unlock()
	v.opened.Broadcast()
}

// A server among others is held back from what another one publishes. Handsets
// are served what it knows; who asks for the newest waits for it, or is told to
// come again, and is never given less.
func TestServerThatIsBehindGivesTheNewestOrNothingToWhoAsksForIt(t *testing.T) {
	r, engine, _ := newReplicas(t, 2)
	one, two := r.All[0], r.All[1]
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	v := newValve(t, engine.Address)
	must(two.StopServer(syscall.SIGTERM))
	config, err := os.ReadFile(two.Path("data", "config.yaml"))
	must(err)
	must(os.WriteFile(two.Path("data", "config.yaml"), bytes.ReplaceAll(config, []byte(engine.Address), []byte(v.address)), 0o600))
	must(two.StartServer(ctx))
	must(r.Ceremony(ctx, product))
	must(r.Settle(ctx))
	r.Server = one.Server // the ceremony's submissions go there from here on

	v.turn(true)
	_, before := ask(t, http.MethodGet, two.Server+"/"+layout.TimestampFile)
	must(r.AddProduct(ctx, "tablet"))
	_, newest := ask(t, http.MethodGet, one.Server+"/"+layout.TimestampFile)
	_, behind := ask(t, http.MethodGet, two.Server+"/"+layout.TimestampFile)
	if bytes.Equal(newest, before) || !bytes.Equal(behind, before) {
		t.Fatal("nothing moved, or the server is not held back")
	}
	a, body := ask(t, http.MethodGet, two.Server+"/"+layout.TimestampFile, layout.FreshHeader, "1")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "1" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v %s", a.Status, a.Header, body)
	}

	// The signer asks the server that is behind, which learns of it meanwhile.
	front, asked := gatewayTo(t, two.Server), make(chan struct{}, 1)
	front.becomes(func(w http.ResponseWriter, req *http.Request, inner http.Handler) {
		select {
		case asked <- struct{}{}:
		default:
		}
		inner.ServeHTTP(w, req)
	})
	done := make(chan error)
	r.Server = front.url
	go func() { done <- r.AddProduct(ctx, "router") }() // on top of what the other server published
	<-asked
	v.turn(false)
	must(<-done)
	out, err := r.Exec(ctx, "signer", "verify", one.Server)
	must(err)
	for _, name := range []string{"tablet", "router"} {
		if !bytes.Contains(out, []byte(layout.ReleasesRole(manifests.Product(name)))) {
			t.Errorf("%s is not published: %s", name, out)
		}
	}
}
