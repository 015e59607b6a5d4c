package operate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/api"
)

const (
	maxToken = 4096
	// headerWait bounds the time from the end of a request to the beginning of
	// its answer; a submission is verified and published before it is answered.
	headerWait = 2 * time.Minute
)

// Client talks to one server. It is not safe for concurrent use.
type Client struct {
	API *api.Client // sends the token
	// Pause waits between two attempts; a test may replace it.
	Pause func(context.Context, time.Duration) error
	// Key makes an Idempotency-Key; a test may replace it.
	Key func() string
}

// New makes a Client for a server's address (https, or http on this machine)
// and an API token.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("server address: expected https://host[:port]")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("server address %s: a token is sent over https only (or http to this machine)", u.Redacted())
	}
	token = strings.TrimSpace(token)
	if token == "" || len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("token file: expected one line with the token that `candor-server token new` printed")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headerWait
	doer := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	bearer := func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	client, err := api.NewClient(u.String(), api.WithHTTPClient(doer), api.WithRequestEditorFn(bearer))
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	return &Client{API: client, Pause: sleep, Key: rand.Text}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
