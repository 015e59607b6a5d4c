package watch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/client/watch"
)

// pipes is a network in memory, so that time can be synctest's.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, errors.New("nobody listens")
	}
}

// follow runs a client against a handler for a while, of synctest's time, and
// gives what it heard and when it asked.
func follow(t *testing.T, d time.Duration, h http.HandlerFunc, change ...func(*watch.Options)) (heard []uint64, asked []time.Duration) {
	t.Helper()
	network := newPipes()
	start := time.Now()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, time.Since(start))
		h(w, r)
	})}
	var all sync.WaitGroup
	all.Go(func() {
		if err := server.Serve(network); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	o := watch.Options{
		Servers: []string{"http://updates.example.org/base"}, Product: "phone", Dial: network.dial,
		Spread: func() time.Duration { return 10 * time.Minute }, Random: last,
	}
	for _, f := range change {
		f(&o)
	}
	c, err := watch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	c.Run(ctx, func(v uint64) { heard = append(heard, v) })
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	return heard, asked
}

// say writes a stream and leaves it open until the client has gone.
func say(w http.ResponseWriter, r *http.Request, text string) {
	begin(w, text)
	<-r.Context().Done()
}

// pass waits in synctest's time.
func pass(d time.Duration) { <-time.After(d) }

func begin(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	if _, err := io.WriteString(w, text); err != nil {
		return // the client has gone
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
}

func TestNewsIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard, asked := follow(t, time.Hour, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "GET" || r.URL.Path != "/base/v1/products/phone/watch" || r.Header.Get("Accept") != "text/event-stream" {
				t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
			}
			begin(w, "retry: 1000\n\n:\n\nevent: head\ndata: 7\n\nevent: later\ndata: x\n\n")
			for range 11 {
				pass(5 * time.Minute)
				begin(w, ":\n\n")
			}
			say(w, r, "event: head\r\ndata: 8\r\n\r\n")
		})
		if !slices.Equal(heard, []uint64{7, 8}) || len(asked) != 1 {
			t.Errorf("heard %v, asked at %v", heard, asked)
		}
	})
}

// P3: the stream says which product, and nothing else.
func TestTheStreamCarriesNothingAboutTheHandset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		follow(t, 3*time.Hour, func(w http.ResponseWriter, r *http.Request) {
			for name := range r.Header {
				if name != "Accept" && name != "Connection" {
					t.Errorf("sends %s: %q", name, r.Header[name])
				}
			}
			http.SetCookie(w, &http.Cookie{Name: "id", Value: "1"})
			begin(w, "event: head\ndata: 7\n\n")
		})
	})
}

func TestAStreamThatEndsIsOpenedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, asked := follow(t, 24*time.Hour, func(w http.ResponseWriter, _ *http.Request) {
			begin(w, "retry: 5000\n\nevent: head\ndata: 7\n\n")
		})
		const s, m = time.Second, time.Minute
		want := []time.Duration{30 * s, 30*s + 20*m + 5*s, 30*s + 60*m + 10*s, 30*s + 120*m + 15*s}
		for i, at := range want { // each at the end of its bound
			if i >= len(asked) || asked[i].Round(s) != at {
				t.Fatalf("asked at %v, want %v", asked, want)
			}
		}
		if len(asked) > 26 {
			t.Errorf("asked %d times a day", len(asked))
		}
	})
}

func TestAServerThatRefusesIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, asked := follow(t, 2*time.Hour, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, func(o *watch.Options) { o.Random = func(int64) int64 { return 0 } })
		if len(asked) != 4 || asked[1] < 30*time.Minute {
			t.Errorf("asked at %v", asked)
		}
	})
}

func TestASilentServerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, asked := follow(t, time.Hour, func(w http.ResponseWriter, r *http.Request) { say(w, r, ":\n\n") },
			func(o *watch.Options) { o.Random = func(int64) int64 { return 0 } })
		if len(asked) < 2 || asked[1] != 10*time.Minute {
			t.Errorf("asked at %v", asked)
		}
	})
}

// Each is a failure: the next stream waits longer each time.
func TestHostileStreamsAreEnded(t *testing.T) {
	for name, text := range map[string]string{
		"floods of comments": strings.Repeat(":\n\n", 10_000),
		"floods of events":   strings.Repeat("event: head\ndata: 7\n\n", 2_000),
		"an endless line":    strings.Repeat("x", 1<<20),
		"no numbers":         "event: head\ndata: \n\n",
		"a negative one":     "event: head\ndata: -7\n\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			heard, asked := follow(t, 12*time.Hour, func(w http.ResponseWriter, r *http.Request) { say(w, r, text) })
			if len(asked) < 3 || asked[2]-asked[1] < 30*time.Minute || len(heard) > 1000*len(asked) {
				t.Errorf("%s: asked at %v, heard %d", name, asked, len(heard))
			}
		})
	}
}

func TestLoginPagesAndRedirectsAreNoStreams(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "event: head\ndata: 7\n\n") },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example.org/", http.StatusTemporaryRedirect)
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(505) },
	} {
		synctest.Test(t, func(t *testing.T) {
			if heard, asked := follow(t, time.Hour, h); len(heard) > 0 || len(asked) != 2 {
				t.Errorf("%s: heard %v, asked at %v", name, heard, asked)
			}
		})
	}
}

func TestTheNextServerIsAskedAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		follow(t, 100*time.Hour, func(w http.ResponseWriter, r *http.Request) {
			hosts = append(hosts, r.Host)
			if r.Host == "a.example.org" || len(hosts) == 5 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			begin(w, "event: head\ndata: 7\n\n")
			pass(2 * time.Minute)
		}, func(o *watch.Options) { o.Servers = []string{"http://a.example.org", "http://b.example.org"} })
		if want := []string{"a.example.org", "b.example.org", "b.example.org", "b.example.org", "b.example.org", "a.example.org", "b.example.org"}; len(hosts) < len(want) || !slices.Equal(hosts[:len(want)], want) {
			t.Errorf("%q", hosts)
		}
	})
}

// Over TLS no session is resumed: nothing ties one stream to the next.
func TestNoTLSSessionIsResumed(t *testing.T) {
	done := make(chan bool, 2)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("speaks %s", r.Proto)
		}
		begin(w, "event: head\ndata: 7\n\n")
		done <- r.TLS.DidResume
	}))
	defer server.Close()
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	c, err := watch.New(watch.Options{
		Servers: []string{"https://example.com"}, Product: "phone", RootCAs: roots, Dial: dial,
		Spread: func() time.Duration { return 0 }, Random: func(int64) int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	streams := 0
	c.Run(ctx, func(uint64) {
		if streams++; streams == 2 {
			cancel()
		}
	})
	for range 2 {
		if resumed := <-done; resumed {
			t.Error("a session was resumed")
		}
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for _, s := range [][]string{nil, {"ftp://x"}, {"http://u:p@x"}, {"http://x?y"}, {"x"}} {
		if _, err := watch.New(watch.Options{Servers: s, Product: "phone"}); err == nil {
			t.Errorf("%q taken", s)
		}
	}
}
