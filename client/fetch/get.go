package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Response is a small file, whole.
type Response struct {
	Body        []byte // decompressed
	ETag        string // as the server gave it; empty if it gave none, or one of over 256 bytes
	NotModified bool   // the file is still the one of the ETag asked with; Body is nil
	Origin      string // who sent it, for Shun
	// Date is what time the server says it is; zero: it does not say, or a cache
	// in between answered with the date of what it keeps. Nothing is judged by it:
	// it is there for people whose clock may be wrong.
	Date time.Time
}

const maxETag = 256

// Get reads a JSON document below the base address, of at most most bytes. With
// an etag the server may answer that nothing changed. A file that is nowhere is
// ErrNotFound. Of the next root that is an answer, and nobody else is asked.
func (c *Client) Get(ctx context.Context, path string, most int64, etag string) (Response, error) {
	var out Response
	answers := func(err error) bool { return strings.HasSuffix(path, rootSuffix) && errors.Is(err, ErrNotFound) }
	err := c.everywhere(ctx, path, answers, func(m *mirror) (err error) {
		out, err = c.get(ctx, m, path, most, etag)
		out.Origin = m.base.String()
		return err
	})
	return out, err
}

func (c *Client) get(ctx context.Context, m *mirror, path string, most int64, etag string) (Response, error) {
	header := http.Header{"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}}
	if strings.HasSuffix(path, timestampName) {
		header.Set("Accept-Encoding", "identity") // its tag is that of its bytes, on every handset
	}
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	a, err := c.send(ctx, m, path, header)
	if err != nil {
		return Response{}, err
	}
	out, err := a.document(most, etag)
	if err := errors.Join(err, a.finish()); err != nil {
		return Response{}, fmt.Errorf("GET %s: %w", a.Request.URL, err)
	}
	return out, nil
}

func (a *answer) document(most int64, etag string) (Response, error) {
	var out Response
	if at, err := http.ParseTime(a.Header.Get("Date")); err == nil && a.Header.Get("Age") == "" {
		out.Date = at
	}
	if out.ETag = a.Header.Get("ETag"); len(out.ETag) > maxETag {
		out.ETag = ""
	}
	switch {
	case a.StatusCode == http.StatusNotModified && etag != "":
		out.NotModified = true
		return out, nil
	case a.StatusCode != http.StatusOK:
		return out, &StatusError{a.StatusCode}
	case isWebPage(a.Header.Get("Content-Type")):
		return out, ErrWebPage
	case a.ContentLength > most:
		return out, fmt.Errorf("%w: %d bytes; at most %d are read", ErrTooLarge, a.ContentLength, most)
	}
	body, err := a.decompressed(most)
	if err != nil {
		return out, err
	}
	if out.Body, err = io.ReadAll(io.LimitReader(body, most+1)); err != nil {
		return out, fmt.Errorf("read body: %w", err)
	}
	if int64(len(out.Body)) > most {
		return out, fmt.Errorf("%w: at most %d bytes are read", ErrTooLarge, most)
	}
	if bytes.HasPrefix(bytes.TrimLeft(out.Body, "\ufeff \t\r\n"), []byte("<")) {
		return out, ErrWebPage
	}
	return out, nil
}

// decompressed bounds what is read on both sides of gzip: a little that becomes
// much, and much that becomes nothing.
func (a *answer) decompressed(most int64) (io.Reader, error) {
	switch encoding := a.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return a.body, nil
	case "gzip":
		r, err := gzip.NewReader(io.LimitReader(a.body, most))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return r, nil
	default:
		return nil, fmt.Errorf("content encoding %q was not asked for", encoding)
	}
}

func isWebPage(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "text/html" || kind == "application/xhtml+xml")
}
