package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Options say where files come from, and how much patience there is. A zero
// field has the default that its comment names.
type Options struct {
	Bases          []string       // http or https addresses that the tree hangs from, best first; at least one
	Mirrors        []string       // addresses of copies of the tree; see the package
	Seed           uint64         // of the order of mirrors: each handset has one of its own
	PollMirrors    bool           // mirrors are asked for what is new, too, before Bases
	RootCAs        *x509.CertPool // for https; the system's
	ConnectTimeout time.Duration  // to connect; 10 s
	TLSTimeout     time.Duration  // for the handshake; 10 s
	HeaderTimeout  time.Duration  // from request to answer; 20 s
	MinRate        int64          // bytes per second of a body, judged over RateWindow; 1 KiB
	RateWindow     time.Duration  // 30 s
	Retries        int            // further rounds over all mirrors after the first; 3, none if negative
	Backoff        time.Duration  // greatest wait before the first retry, doubled for each further; 500 ms
	MaxWait        time.Duration  // greatest wait within one call; 30 s

	dial func(ctx context.Context, network, address string) (net.Conn, error) // tests have a network of their own
}

const (
	userAgent       = "candor-client"
	maxHeaderBytes  = 64 << 10
	maxRedirects    = 5
	maxStrikes      = 3
	maxRetryAfter   = time.Hour // what a server may ask for
	smallAnswer     = 8 << 10   // bodies up to here are read to the end to keep the connection
	progressPerLink = 64 << 10  // bytes after which a cut connection counts as a new failure
)

// Client gets files. It is safe for concurrent use.
type Client struct {
	options Options
	http    *http.Client
	origins line
	mirrors line
}

// New makes a client. It sends nothing yet.
func New(o Options) (*Client, error) {
	o.ConnectTimeout = either(o.ConnectTimeout, 10*time.Second)
	o.TLSTimeout = either(o.TLSTimeout, 10*time.Second)
	o.HeaderTimeout = either(o.HeaderTimeout, 20*time.Second)
	o.MinRate = either(o.MinRate, 1<<10)
	o.RateWindow = either(o.RateWindow, 30*time.Second)
	o.Retries = max(either(o.Retries, 3), 0)
	o.Backoff = either(o.Backoff, 500*time.Millisecond)
	o.MaxWait = either(o.MaxWait, 30*time.Second)
	if o.dial == nil {
		o.dial = (&net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	c := &Client{options: o}
	for _, base := range o.Bases {
		u, err := parseBase(base)
		if err != nil {
			return nil, err
		}
		c.origins.all = append(c.origins.all, &mirror{base: u})
	}
	if len(c.origins.all) == 0 {
		return nil, errors.New("fetch: no base address is given")
	}
	for _, at := range rand.New(rand.NewPCG(o.Seed, 0)).Perm(len(o.Mirrors)) {
		u, err := parseBase(o.Mirrors[at])
		if err != nil {
			return nil, err
		}
		c.mirrors.all = append(c.mirrors.all, &mirror{base: u, copy: true})
	}
	c.http = &http.Client{Transport: transport(o), CheckRedirect: checkRedirect}
	return c, nil
}

func either[T int | int64 | time.Duration](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}

func transport(o Options) *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            o.dial,
		TLSClientConfig:        tlsConfig(o),
		TLSHandshakeTimeout:    o.TLSTimeout,
		ResponseHeaderTimeout:  o.HeaderTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // what is compressed is bounded here
		ReadBufferSize:         32 << 10,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// tlsConfig leaves post-quantum key exchange to what is secret: these files are
// public and signed, and it would make a connection cost servers half as much
// again. (Votes have it.)
func tlsConfig(o Options) *tls.Config {
	return &tls.Config{
		RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(8),
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
	}
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d in a row", ErrRedirect, maxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return fmt.Errorf("%w: from https to %s", ErrRedirect, r.URL.Scheme)
	}
	r.Header.Del("Referer")
	return nil
}

func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("base address: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("base address %q: an http or https address without user, query and fragment is needed", s)
	}
	return u, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
