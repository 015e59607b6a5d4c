package ceremony

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
)

// Source reads files of a published tree by their path below its top, for
// example metadata/2.targets.json. A file that is not there is fs.ErrNotExist;
// one longer than limit bytes is an error. Sources are untrusted: what they
// give is verified by the reader.
type Source interface {
	Open(ctx context.Context, path string) (io.ReadCloser, error)
}

// Dir is a Source: a directory that holds the tree. Names cannot lead out of it.
func Dir(dir string) (Source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("published tree: %w", err)
	}
	return dirSource{root}, nil
}

type dirSource struct{ root *os.Root }

func (d dirSource) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return d.root.Open(path)
}

// Server is a Source: the address of a Candor server or of its CDN.
func Server(address string) (Source, error) {
	base, err := Address(address)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	transport.MaxIdleConnsPerHost = together // LintTree keeps so many busy
	return httpSource{base, &http.Client{Transport: transport}, pause}, nil
}

// Address reads the address of a server, below which its tree is.
func Address(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("server address %q: expected https://host[:port]", text)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// IsAbsent tells whether a status says that a file is not there. Object stores
// say 403 for that.
func IsAbsent(status int) bool {
	return status == http.StatusNotFound || status == http.StatusForbidden
}

type httpSource struct {
	base   string
	client *http.Client
	pause  func(context.Context, time.Duration) error
}

func (h httpSource) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	return h.patiently(ctx, path, func() (io.ReadCloser, error) { return h.get(ctx, path) })
}

// get makes one request. It asks for what all servers of the installation have
// published, not only the one that answers: the file that is read next may come
// from another one, and what is signed on top of an old state is refused.
func (h httpSource) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(layout.FreshHeader, "1")
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return resp.Body, nil
	case IsAbsent(resp.StatusCode):
		err = fs.ErrNotExist
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		err = fmt.Errorf("%w: it answered %s", errPassing, resp.Status)
	default:
		err = fmt.Errorf("server answered %s", resp.Status)
	}
	return nil, errors.Join(fmt.Errorf("GET %s/%s: %w", h.base, path, err), resp.Body.Close())
}

// fetchTimeout bounds the reading of one metadata file or release document.
const fetchTimeout = time.Minute

// fetch reads one small file whole.
func fetch(ctx context.Context, s Source, path string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	body, err := s.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, limit)
	}
	return data, nil
}
