package hooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/candor-ota/candor/manifests/webhook"
)

const (
	sendTime      = 15 * time.Second // for one try, from dialling to the answer's header
	maxAnswer     = 64 << 10         // read so that a connection can be used again
	maxRetryAfter = 24 * time.Hour
)

// sender delivers to one receiver.
type sender struct {
	Config
	client   *http.Client
	deadline time.Duration
	now      func() time.Time
}

func newSender(c Config, deadline time.Duration, now func() time.Time) (*sender, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: deadline,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10,
	}
	if c.CAFile != "" {
		pool, err := authorities(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("webhook %s: %w", c.Name, err)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &sender{
		Config: c, deadline: deadline, now: now,
		client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// refused is an answer other than success.
type refused struct {
	status int
	after  time.Duration // what Retry-After asks for; zero if it does not
}

func (r *refused) Error() string {
	if r.status >= 300 && r.status < 400 {
		return fmt.Sprintf("the receiver redirects (%d); write the new address into config.yaml", r.status)
	}
	return fmt.Sprintf("the receiver answered %d %s", r.status, http.StatusText(r.status))
}

// send makes one try.
func (s *sender) send(ctx context.Context, e webhook.Event) error {
	secrets, err := s.secrets()
	if err != nil {
		return err
	}
	body, err := e.Encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL is not one")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "candor-server")
	webhook.Sign(r.Header, secrets, e.ID, s.now(), body)
	resp, err := s.client.Do(r)
	if err != nil {
		var around *url.Error
		if errors.As(err, &around) { // it repeats the URL, in which there may be a token
			err = around.Err
		}
		return err
	}
	// The status is the answer; the rest is read only so that the connection
	// can be used again.
	if _, err := io.CopyN(io.Discard, resp.Body, maxAnswer); err != nil && !errors.Is(err, io.EOF) {
		s.client.CloseIdleConnections()
	}
	if err := resp.Body.Close(); err != nil {
		s.client.CloseIdleConnections()
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &refused{resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), s.now())}
	}
	return nil
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(header, 10, 32); err == nil {
		return min(max(time.Duration(n)*time.Second, 0), maxRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
