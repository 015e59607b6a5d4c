package submit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
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
	base  string
	token string
	http  *http.Client
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
	return &Client{
		base: strings.TrimSuffix(u.String(), "/"), token: token, pause: sleep,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
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

// call is one request.
type call struct {
	method, path string
	body         []byte
	offset       int64 // Upload-Offset; below 0 is none
}

// answer is what came back, with a status below 300.
type answer struct {
	status int
	offset int64 // Upload-Offset, or -1
	body   []byte
}

// Refusal is an answer that trying again would not change.
type Refusal struct {
	Status int
	Text   string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the server refused it (%d): %s", r.Status, r.Text)
}

// errAgain marks failures that may pass.
var errAgain = errors.New("the server could not be reached")

func (c *Client) do(ctx context.Context, k call) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, k.method, c.base+k.path, bytes.NewReader(k.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if k.offset >= 0 {
		req.Header.Set("Content-Type", "application/offset+octet-stream")
		req.Header.Set("Upload-Offset", strconv.FormatInt(k.offset, 10))
	} else if len(k.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", errAgain, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("%w: %w", errAgain, err)
	}
	if resp.StatusCode >= 300 {
		return nil, refusal(resp.StatusCode, body)
	}
	a := &answer{status: resp.StatusCode, offset: -1, body: body}
	if n, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64); err == nil {
		a.offset = n
	}
	return a, nil
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
	r := &Refusal{Status: status, Text: text}
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
