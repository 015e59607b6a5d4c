package submit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/api"
)

// Bounds of one exchange.
const (
	maxAnswer  = 1 << 20
	maxToken   = 4096
	attempts   = 6
	firstPause = 500 * time.Millisecond
	// headerWait bounds the time from the end of a request to the beginning of
	// its answer; a submission is verified and published before it is answered.
	headerWait = 2 * time.Minute
)

// Client talks to one server. It is not safe for concurrent use.
type Client struct {
	api   *api.Client
	pause func(context.Context, time.Duration) error
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
	return &Client{api: client, pause: sleep}, nil
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

// Refusal is an answer that trying again would not change.
type Refusal struct {
	Status int
	Code   string // of package api; empty when the answer was no problem of Candor's
	Text   string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the server refused it (%d): %s", r.Status, r.Text)
}

// errAgain marks failures that may pass.
var errAgain = errors.New("the server could not be reached")

// read takes what a call of the contract's client gave, and decodes the answer
// into out.
func read(ctx context.Context, resp *http.Response, err error, out any) error {
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.StatusCode, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the answer is not that of a Candor server: %w", err)
	}
	return nil
}

// refusal turns a problem (RFC 9457), or any other body, into an error.
func refusal(status int, body []byte) error {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}
	text := http.StatusText(status)
	if json.Unmarshal(body, &p) == nil && p.Title != "" {
		text = p.Title
		if p.Detail != "" {
			text += ": " + p.Detail
		}
		if p.Code != "" {
			text += " [" + p.Code + "]"
		}
	}
	r := &Refusal{Status: status, Code: p.Code, Text: text}
	if status >= 500 || status == http.StatusTooManyRequests {
		return fmt.Errorf("%w: %w", errAgain, r)
	}
	return r
}

// again repeats f while it fails in a way that may pass. f reports whether it
// got anything done, which starts the count anew.
func (c *Client) again(ctx context.Context, f func() (progress bool, err error)) error {
	wait := firstPause
	for n := 1; ; n++ {
		progress, err := f()
		if err == nil || !errors.Is(err, errAgain) {
			return err
		}
		if progress {
			n, wait = 1, firstPause
		}
		if n == attempts {
			return fmt.Errorf("gave up after %d attempts; run the command again to go on: %w", n, err)
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}
