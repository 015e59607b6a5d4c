package explain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/bundle"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/ceremony"
)

// tree is a published tree that can be examined and walked.
type tree struct {
	files  ceremony.Source
	server string // its address; "" for a directory
	clock  *serverClock
	spare  map[string][]byte // bytes that stand in for those of the tree
	late   bool              // a bundle
	// of a bundle: the one release that it is for, and its product
	only    string
	product manifests.Product
}

// Read is that of diagnosis.Source.
func (t *tree) Read(ctx context.Context, path string, limit int64) ([]byte, error) {
	if data, ok := t.spare[path]; ok {
		return data, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := t.files.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	return data, errors.Join(err, body.Close())
}

// patience bounds the reading of one file.
const patience = time.Minute

func dirTree(dir string) (*tree, error) {
	files, err := ceremony.Dir(dir)
	if err != nil {
		return nil, err
	}
	return &tree{files: files}, nil
}

// webTree is a server's tree. Of each answer its Date is kept: the clock of
// this machine may be what is wrong.
func webTree(address string) (*tree, error) {
	base, err := ceremony.Address(address)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = patience / 2
	clock := &serverClock{client: &http.Client{Transport: transport}, base: base}
	return &tree{files: clock, server: clock.base, clock: clock}, nil
}

// serverClock is a ceremony.Source that keeps what time the server says it is.
type serverClock struct {
	client *http.Client
	base   string
	said   time.Time
}

// Open gets one file.
func (s *serverClock) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil && resp.Header.Get("Age") == "" {
		s.said = at // a cache gives the Date of what it keeps
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return resp.Body, nil
	case ceremony.IsAbsent(resp.StatusCode):
		err = fs.ErrNotExist
	default:
		err = fmt.Errorf("the server answered %s", resp.Status)
	}
	return nil, errors.Join(fmt.Errorf("GET %s/%s: %w", s.base, path, err), resp.Body.Close())
}

func (s *serverClock) time() (time.Time, bool) { return s.said, !s.said.IsZero() }

// bundleTree is the tree inside a bundle.
type bundleTree struct{ *bundle.Bundle }

// Open gives a member.
func (b bundleTree) Open(_ context.Context, path string) (io.ReadCloser, error) {
	r, ok := b.File(path)
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return io.NopCloser(r), nil
}

// split cuts a path or an address at the part that is inside a tree.
func split(target string) (top, inside string, ok bool) {
	for _, dir := range []string{layout.MetadataDir, layout.TargetsDir} {
		if i := strings.LastIndex(target, "/"+dir+"/"); i >= 0 {
			return target[:i], target[i+1:], true
		}
		if strings.HasPrefix(target, dir+"/") {
			return ".", target, true
		}
	}
	return "", "", false
}

func isWeb(target string) bool { return strings.Contains(target, "://") }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
