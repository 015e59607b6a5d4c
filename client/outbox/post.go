package outbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

// Problem is a refusal in the service's own words (RFC 9457).
type Problem struct {
	Status int           // of HTTP
	Code   string        // stable; see manifests/api
	Detail string        // for people
	After  time.Duration // how long the service asks to be left alone; 0 if it does not
}

func (p *Problem) Error() string {
	return fmt.Sprintf("the service refused (%s): %s", p.Code, p.Detail)
}

// strayError is an answer that is not the service's: of a proxy, a login page,
// a server of something else.
type strayError struct {
	status int
	after  time.Duration
}

func (e *strayError) Error() string {
	return fmt.Sprintf("an answer with status %d that is not the service's; is this network waiting for a login (captive portal)?", e.status)
}

// post makes requests, each over a connection of its own: none is kept, no TLS
// session resumed, no cookie stored, no User-Agent sent, no redirect followed.
type post struct {
	servers []*url.URL
	http    *http.Client
	timeout time.Duration
	observe func(path string, took time.Duration, err error)
}

func newPost(o Options) (*post, error) {
	p := &post{timeout: o.Timeout, observe: o.Observe}
	for _, s := range o.Servers {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("outbox: server %q: an http or https address without user, query and fragment is needed", s)
		}
		p.servers = append(p.servers, u)
	}
	if len(p.servers) == 0 {
		return nil, errors.New("outbox: no server is given")
	}
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: o.Timeout}).DialContext
	}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	p.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p, nil
}

// send posts a document and wants exactly that status. It tries the servers in
// turn, until one of them answers for the service: *Problem is such an answer.
func (p *post) send(ctx context.Context, path string, document any, want int) ([]byte, error) {
	body, err := strict.Canonical(document)
	if err != nil {
		return nil, fmt.Errorf("POST /%s: %w", path, err)
	}
	var failures error
	for _, server := range p.servers {
		began := time.Now()
		answer, err := p.once(ctx, server.JoinPath(path).String(), body, want)
		if p.observe != nil {
			p.observe(path, time.Since(began), err)
		}
		if err == nil {
			return answer, nil
		}
		err = fmt.Errorf("POST %s: %w", server.JoinPath(path), err)
		var problem *Problem
		if errors.As(err, &problem) && problem.Status < http.StatusInternalServerError || ctx.Err() != nil {
			return nil, err
		}
		failures = errors.Join(failures, err)
	}
	return nil, failures
}

func (p *post) once(ctx context.Context, address string, body []byte, want int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	// An empty User-Agent keeps net/http from adding its own.
	request.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {""}}
	response, err := p.http.Do(request)
	if err != nil {
		var inner *url.Error // it repeats method and address
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, vote.MaxMessageBytes+1))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if len(answer) > vote.MaxMessageBytes {
		return nil, fmt.Errorf("an answer of more than %d bytes: %w", vote.MaxMessageBytes, &strayError{status: response.StatusCode})
	}
	return judge(response, answer, want)
}

func judge(response *http.Response, body []byte, want int) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	known := err == nil
	switch {
	case response.StatusCode == want && (want == http.StatusNoContent || known && kind == "application/json"):
		return body, nil
	case response.StatusCode >= http.StatusBadRequest && known && kind == "application/problem+json":
		return nil, parseProblem(response, body)
	}
	return nil, &strayError{response.StatusCode, retryAfter(response)}
}

func parseProblem(response *http.Response, body []byte) error {
	var p struct {
		Title  string `json:"title"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	// RFC 9457, section 3.2: members that are not known are ignored.
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" || len(p.Code) > 64 || strict.CheckText("", p.Code) != nil {
		return &strayError{response.StatusCode, retryAfter(response)}
	}
	out := &Problem{Status: response.StatusCode, Code: p.Code, Detail: p.Title, After: retryAfter(response)}
	if p.Detail != "" {
		out.Detail = p.Detail
	}
	if len(out.Detail) > 1024 || strict.CheckText("", out.Detail) != nil {
		out.Detail = "its words cannot be shown"
	}
	return out
}

// retryAfter reads Retry-After in seconds (RFC 9110, section 10.2.3), capped.
func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxAsked)
}
