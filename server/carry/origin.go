package carry

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// Origin is where a mirror takes the tree from.
type Origin interface {
	publish.From
	// Image gives an object from an offset on, or store.ErrNotFound.
	Image(ctx context.Context, key string, offset int64) (io.ReadCloser, error)
}

// StoreOrigin is a store of blobs as an origin.
type StoreOrigin struct{ publish.From }

// Image gives an object from an offset on.
func (o StoreOrigin) Image(ctx context.Context, key string, offset int64) (io.ReadCloser, error) {
	r, _, err := o.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// WebOrigin is a server, or another mirror, as an origin.
type WebOrigin struct {
	base   *url.URL
	client *http.Client
}

// Bounds of the wait for an answer, or for more of it, and of a small file.
const (
	answerTime = 30 * time.Second
	maxFile    = 8 << 20
)

// NewWebOrigin reaches a tree at a URL, trusting roots (nil: the system's).
func NewWebOrigin(base string, roots *x509.CertPool) (*WebOrigin, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" {
		return nil, fmt.Errorf("origin: %q is not the http or https URL of a tree", base)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: answerTime, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	return &WebOrigin{base: u, client: &http.Client{Transport: t, CheckRedirect: onlySafer}}, nil
}

// onlySafer follows a server to its bucket, and never from https to http.
func onlySafer(r *http.Request, via []*http.Request) error {
	if len(via) > 5 || via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("redirect refused")
	}
	return nil
}

// Close lets go of connections.
func (o *WebOrigin) Close() error {
	o.client.CloseIdleConnections()
	return nil
}

func (o *WebOrigin) get(ctx context.Context, key string, offset int64) (body io.ReadCloser, etag string, err error) {
	if err := store.CheckKey(key); err != nil {
		return nil, "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base.JoinPath(key).String(), nil)
	if err != nil {
		return nil, "", err
	}
	want := http.StatusOK
	if offset > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		want = http.StatusPartialContent
	}
	resp, err := o.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		err = store.ErrNotFound
	case resp.StatusCode != want:
		err = fmt.Errorf("the origin answered %s", resp.Status)
	case offset > 0 && !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)):
		err = errors.New("the origin answered with another range")
	default:
		return resp.Body, resp.Header.Get("ETag"), nil
	}
	return nil, "", errors.Join(fmt.Errorf("%s: %w", key, err), resp.Body.Close())
}

// Load reads a small file.
func (o *WebOrigin) Load(ctx context.Context, key string) ([]byte, store.ETag, error) {
	body, etag, err := o.patiently(ctx, key, 0)
	if err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(io.LimitReader(body, maxFile+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, "", fmt.Errorf("%s: %w", key, err)
	}
	if len(data) > maxFile {
		return nil, "", fmt.Errorf("%s: more than %d bytes", key, maxFile)
	}
	return data, store.ETag(etag), nil
}

// Open reads a small file.
func (o *WebOrigin) Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	data, _, err := o.Load(ctx, key)
	if err != nil {
		return nil, store.Info{}, err
	}
	return held{bytes.NewReader(data)}, store.Info{Key: key, Size: int64(len(data))}, nil
}

type held struct{ *bytes.Reader }

func (held) Close() error { return nil }

// Image gives an object from an offset on.
func (o *WebOrigin) Image(ctx context.Context, key string, offset int64) (io.ReadCloser, error) {
	body, _, err := o.patiently(ctx, key, offset)
	return body, err
}

// patiently gives a body that is given up when it brings nothing for a while,
// however long all of it takes.
func (o *WebOrigin) patiently(ctx context.Context, key string, offset int64) (io.ReadCloser, string, error) {
	ctx, cancel := context.WithCancel(ctx)
	body, etag, err := o.get(ctx, key, offset)
	if err != nil {
		cancel()
		return nil, "", err
	}
	return &patient{body: body, cancel: cancel, timer: time.AfterFunc(answerTime, cancel)}, etag, nil
}

type patient struct {
	body   io.ReadCloser
	cancel context.CancelFunc
	timer  *time.Timer
}

func (p *patient) Read(b []byte) (int, error) {
	p.timer.Reset(answerTime)
	n, err := p.body.Read(b)
	p.timer.Stop()
	return n, err
}

func (p *patient) Close() error {
	p.timer.Stop()
	err := p.body.Close()
	p.cancel()
	return err
}
