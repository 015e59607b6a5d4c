package watch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Options of a Client. Log may be nil.
type Options struct {
	Servers []string // http or https addresses, the next one after each failure
	Product manifests.Product
	RootCAs *x509.CertPool // for https; the system's
	// Spread is the one that the rollouts known now sign: within it, at least,
	// the stream is opened again.
	Spread func() time.Duration
	Random func(n int64) int64 // a number below n, from 0 on
	Log    *slog.Logger
	// Dial connects; nil: as the system does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Patience with a server, and with what it says.
const (
	answerTime = 20 * time.Second
	silence    = 10 * time.Minute // two heartbeats of the slowest server, and more
	shortest   = 30 * time.Second // bound of the wait for the next stream
	longest    = time.Hour
	settled    = time.Minute // a stream that lasted so long was a good one
	// maxTalk and talkPerMinute bound what comes over one stream, in bytes:
	// whoever says more wants to keep a radio awake.
	maxTalk       = 16 << 10
	talkPerMinute = 1 << 10
)

// ErrTalkative ends a stream that brings more than any news.
var ErrTalkative = errors.New("the server talks too much")

// Client holds one stream.
type Client struct {
	options   Options
	addresses []string
	http      *http.Client
}

// New makes a client. It sends nothing yet.
func New(o Options) (*Client, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		// Heartbeats are the server's; the kernel's own would wake the radio.
		o.Dial = (&net.Dialer{Timeout: answerTime, KeepAlive: -1}).DialContext
	}
	c := &Client{options: o}
	for _, s := range o.Servers {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("watch: server %q: an http or https address without user, query and fragment is needed", s)
		}
		c.addresses = append(c.addresses, u.JoinPath("v1/products", string(o.Product), "watch").String())
	}
	if len(c.addresses) == 0 {
		return nil, errors.New("watch: no server is given")
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: o.Dial,
		TLSClientConfig:     &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true},
		TLSHandshakeTimeout: answerTime, ResponseHeaderTimeout: answerTime,
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10, Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Run keeps a stream open until ctx ends. heard is told each number that the
// server says; it must not wait.
func (c *Client) Run(ctx context.Context, heard func(version uint64)) {
	failures := 0
	wait := c.within(shortest) // handsets that were switched on together do not come together
	for at := 0; ; at++ {
		if !rest(ctx, wait) {
			return
		}
		began := time.Now()
		after, err := c.listen(ctx, c.addresses[at%len(c.addresses)], heard)
		if ctx.Err() != nil {
			return
		}
		if failures++; time.Since(began) >= settled && !errors.Is(err, ErrTalkative) {
			failures = 0
			at-- // it is a good one
		}
		bound := min(max(c.options.Spread(), shortest), longest)
		for range failures {
			bound = min(2*bound, longest)
		}
		wait = after + c.within(bound)
		c.options.Log.Info("the watch stream ended", "reason", err, "again", wait.Round(time.Second))
	}
}

func (c *Client) within(d time.Duration) time.Duration {
	return time.Duration(c.options.Random(int64(d) + 1))
}

func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// listen opens a stream and follows it to its end, which always has a reason.
// after is how long the server asks not to be asked again.
func (c *Client) listen(ctx context.Context, address string, heard func(uint64)) (after time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	r.Header["User-Agent"] = nil // none at all
	r.Header.Set("Accept", "text/event-stream")
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode != http.StatusOK:
		return retryAfter(resp.Header.Get("Retry-After")), fmt.Errorf("watch: the server answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case kind != "text/event-stream":
		return 0, errors.New("watch: the answer is no stream; is this network waiting for a login (captive portal)?")
	}
	limited := newLimited(resp.Body, func() { cancel(errors.New("nothing came for long")) })
	defer limited.stop()
	stream := newEvents(limited)
	for {
		e, err := stream.next()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return after, fmt.Errorf("watch: %w", err)
		}
		if e.retry > 0 {
			after = e.retry
		}
		if e.version > 0 {
			heard(e.version)
		}
	}
}

// retryAfter reads seconds; a date is not what our server says.
func retryAfter(text string) time.Duration {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, longest)
}

// limited bounds a body: how much comes, and how long nothing does.
type limited struct {
	body  io.Reader
	began time.Time
	bytes int64
	timer *time.Timer
}

func newLimited(body io.Reader, silent func()) *limited {
	return &limited{body: body, began: time.Now(), timer: time.AfterFunc(silence, silent)}
}

func (l *limited) stop() { l.timer.Stop() }

// Read passes on what comes.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.body.Read(p)
	if n > 0 {
		l.timer.Reset(silence)
	}
	if l.bytes += int64(n); l.bytes > maxTalk+talkPerMinute*int64(time.Since(l.began)/time.Minute) {
		return 0, ErrTalkative
	}
	return n, err
}
