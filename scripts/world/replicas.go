package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Replicas are several servers on one ledger and one bucket, each with a data
// directory of its own, behind a front that sends each request to the next one.
// The World in it is the first of them; its Server is the front.
type Replicas struct {
	*World
	All   []*World
	front *httptest.Server
	next  atomic.Uint64
}

// NewReplicas is New for n servers; config must name a ledger and a bucket that
// they can share.
func NewReplicas(ctx context.Context, dir string, n int, config string) (*Replicas, error) {
	w := &World{Dir: dir}
	if err := Build(ctx, w.Path("bin")); err != nil {
		return nil, err
	}
	if err := w.init(ctx, []string{config}); err != nil {
		return nil, err
	}
	r := &Replicas{World: w}
	for i := range n {
		one := &World{Dir: w.Path(fmt.Sprintf("replica-%d", i+1)), Token: w.Token, Second: w.Second}
		if err := os.Mkdir(one.Dir, 0o700); err != nil {
			return nil, err
		}
		if out, err := exec.CommandContext(ctx, "cp", "-a", w.Path("data"), one.Path("data")).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("copy the data directory: %w: %s", err, out)
		}
		if err := os.Symlink(w.Path("bin"), one.Path("bin")); err != nil {
			return nil, err
		}
		r.All = append(r.All, one)
		if err := one.StartServer(ctx); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	r.front = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.Out.URL.Scheme = "http" },
		Transport: r, ErrorLog: log.New(io.Discard, "", 0), // servers that are killed hang up
	})
	w.Server, w.settle = r.front.URL, r.settle
	return r, nil
}

// settle waits until all servers, which must run, serve the same tree. People
// who come back to the front at once may otherwise meet one that is still
// following.
func (r *Replicas) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		var first []byte
		same := 0
		for i, one := range r.All {
			var now []byte
			if err := one.Call(ctx, http.MethodGet, "/metadata/timestamp.json", nil, &now); err != nil {
				break
			}
			if i == 0 {
				first = now
			}
			if bytes.Equal(first, now) {
				same++
			}
		}
		if same == len(r.All) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the servers do not come to serve the same: %w", ctx.Err())
		case <-again.C:
		}
	}
}

// onward makes a connection for each request: one that a dead server left must
// not be taken for another try.
var onward = &http.Transport{DisableKeepAlives: true}

// RoundTrip sends a request to the next server, or the one after it where nobody
// listens: such a request has reached nobody. Whatever else goes wrong is passed
// on, for the request may have had its effect.
func (r *Replicas) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	var last error
	for range r.All {
		one := r.All[r.next.Add(1)%uint64(len(r.All))]
		out := req.Clone(req.Context())
		out.URL.Host = strings.TrimPrefix(one.Server, "http://")
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp, err := onward.RoundTrip(out)
		var network *net.OpError
		if err == nil || !errors.As(err, &network) || network.Op != "dial" {
			return resp, err
		}
		last = err
	}
	return nil, last
}

// Pause freezes a server, as a machine that stalls does, until Continue.
func (w *World) Pause() error { return w.server.Process.Signal(syscall.SIGSTOP) }

// Continue lets a frozen server go on.
func (w *World) Continue() error { return w.server.Process.Signal(syscall.SIGCONT) }

// Close ends the front and every server.
func (r *Replicas) Close() error {
	if r.front != nil {
		r.front.Close()
	}
	var errs []error
	for _, one := range r.All {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
