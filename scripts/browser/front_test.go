package browser_test

import (
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// front is the network between browsers and a server. It keeps its address when
// the server is started anew, and can be cut, or made to hang.
type front struct {
	url   string
	relay *httputil.ReverseProxy

	mu     sync.Mutex
	target *url.URL
	cut    func(*http.Request) bool // these requests break off
	hang   func(*http.Request) bool // these get no answer
	hung   map[*http.Request]bool
	lines  map[*http.Request]context.CancelFunc
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{hung: map[*http.Request]bool{}, lines: map[*http.Request]context.CancelFunc{}}
	f.relay = &httputil.ReverseProxy{
		FlushInterval: -1, // events are not held back
		ErrorLog:      log.New(quiet{}, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			f.mu.Lock()
			defer f.mu.Unlock()
			r.SetURL(f.target)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := httptest.NewServer(f)
	s.Config.ErrorLog = log.New(quiet{}, "", 0)
	f.url = s.URL
	t.Cleanup(func() {
		f.breaks(func(*http.Request) bool { return true })
		s.CloseClientConnections()
		s.Close()
	})
	return f
}

// quiet drops what net/http says of connections that tests break.
type quiet struct{}

func (quiet) Write(b []byte) (int, error) { return len(b), nil }

func (f *front) leadTo(server string) {
	u, err := url.Parse(server)
	if err != nil {
		panic(err) // it is the address of a server that answered
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = u
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, end := context.WithCancel(r.Context())
	defer end()
	f.mu.Lock()
	cut, hang := f.cut != nil && f.cut(r), f.hang != nil && f.hang(r)
	f.lines[r], f.hung[r] = end, hang
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.lines, r)
		delete(f.hung, r)
		f.mu.Unlock()
	}()
	switch {
	case cut:
		panic(http.ErrAbortHandler)
	case hang:
		<-ctx.Done()
		panic(http.ErrAbortHandler)
	}
	f.relay.ServeHTTP(w, r.WithContext(ctx))
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler) // broken off half-way
	}
}

// breaks cuts the requests that match, those under way as well; nil mends.
func (f *front) breaks(which func(*http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = which
	for r, end := range f.lines {
		if which != nil && which(r) {
			end()
		}
	}
}

// hangs leaves the requests that match without an answer; nil mends, and gives
// up those that hung.
func (f *front) hangs(which func(*http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hang = which
	for r, hung := range f.hung {
		if hung && which == nil {
			f.lines[r]()
		}
	}
}

// open is how many requests of a path are under way.
func (f *front) open(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for r := range f.lines {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

func everything(*http.Request) bool { return true }

func isStream(r *http.Request) bool { return r.URL.Path == "/v1/live" }
