package load

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// maxFile bounds what is read of one file of a walk.
const maxFile = 8 << 20

// errBytes is a file that is not the one that was verified.
var errBytes = errors.New("other bytes than were verified")

// view is a state of the tree that was verified, with what a walk to it fetches.
type view struct {
	*trust.View
	number int // rises with each that was seen
	files  map[string]want
}

// want is what a path must give: these bytes, or nothing.
type want struct {
	sum     manifests.SHA256
	missing bool
}

// tree verifies each state of the published tree once, for the whole fleet. It
// is safe for concurrent use.
type tree struct {
	dir     string
	root    []byte
	product manifests.Product
	bases   []string

	mu    sync.Mutex
	seen  map[string]*view // by the tag of the timestamp
	count int
}

// at gives the verified view of a timestamp, by its tag, after a full walk from
// the root where it is the first of the fleet to see it. Another view means that
// the tree has moved on meanwhile.
func (t *tree) at(ctx context.Context, etag string) (*view, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.seen[etag]; v != nil {
		return v, nil
	}
	v, _, err := t.look(ctx)
	return v, err
}

// now gives the view of this moment, with its tag.
func (t *tree) now(ctx context.Context) (*view, string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.look(ctx)
}

func (t *tree) look(ctx context.Context) (*view, string, error) {
	v, tag, err := t.walk(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("verify the tree: %w", err)
	}
	if t.seen[tag] == nil {
		t.seen[tag] = v
	}
	return t.seen[tag], tag, nil
}

func (t *tree) walk(ctx context.Context) (_ *view, tag string, err error) {
	t.count++
	dir := filepath.Join(t.dir, fmt.Sprint("walk", t.count))
	if err := trust.Init(dir, t.root); err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := trust.OpenStore(dir)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	from, err := fetch.New(fetch.Options{Bases: t.bases})
	if err != nil {
		return nil, "", err
	}
	r := &recorder{from: from, files: map[string]want{}}
	clock := func() (time.Time, bool) { return time.Now(), true }
	client := &trust.Client{Store: store, Fetch: r, Product: t.product, Clock: clock}
	proved, err := client.Poll(ctx)
	if err != nil {
		return nil, "", err
	}
	return &view{View: proved, number: t.count, files: r.files}, r.tag, nil
}

// recorder notes what a walk fetches.
type recorder struct {
	from  *fetch.Client
	files map[string]want
	tag   string
}

// Get implements trust.Fetcher.
func (r *recorder) Get(ctx context.Context, path string, most int64, etag string) (fetch.Response, error) {
	out, err := r.from.Get(ctx, path, most, etag)
	switch {
	case errors.Is(err, fetch.ErrNotFound):
		r.files[path] = want{missing: true}
	case err == nil && path == layout.TimestampFile:
		r.tag = layout.ETag(out.Body)
	case err == nil:
		r.files[path] = want{sum: manifests.SumSHA256(out.Body)}
	}
	return out, err
}

// get makes a request as the handset's fetcher does, and gives the body of a
// 200.
func get(ctx context.Context, c *http.Client, address, etag string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	request.Header = http.Header{"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "User-Agent": {"candor-client"}}
	if strings.HasSuffix(address, layout.TimestampFile) {
		request.Header.Set("Accept-Encoding", "identity")
	}
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	from := io.LimitReader(response.Body, maxFile)
	if response.Header.Get("Content-Encoding") == "gzip" {
		packed, err := gzip.NewReader(from)
		if err != nil {
			return 0, nil, err
		}
		from = io.LimitReader(packed, maxFile)
	}
	body, err = io.ReadAll(from)
	return response.StatusCode, body, err
}

// check fetches one file of a walk and holds it against what was verified.
func (w want) check(ctx context.Context, c *http.Client, address string) error {
	status, body, err := get(ctx, c, address, "")
	switch {
	case err != nil:
		return err
	case w.missing && (status == http.StatusNotFound || status == http.StatusForbidden):
		return nil
	case status != http.StatusOK:
		return statusError(status)
	case w.missing || manifests.SumSHA256(body) != w.sum:
		return errBytes
	}
	return nil
}
