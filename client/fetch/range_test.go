package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

func part(t *testing.T, c *Client, r Range) ([]byte, error) {
	t.Helper()
	body, err := c.OpenRange(t.Context(), r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(body)
	return got, errors.Join(err, body.Close())
}

func TestPartOfAFileIsAskedForAndNothingElse(t *testing.T) {
	f := &file{b: blob(1000)}
	c := served(t, Options{}, f.serve)
	for _, r := range []Range{{From: 200, To: 300}, {From: 0, To: 1}, {From: 999, To: 1000}, {From: 0, To: 1000}, {From: 10}} {
		r.Path, r.Size, r.Window = "blobs/x", 1000, 64<<10
		got, err := part(t, c, r)
		if err != nil || !bytes.Equal(got, f.b[r.From:r.end()]) {
			t.Fatalf("%+v: %d bytes, %v", r, len(got), err)
		}
		want := fmt.Sprintf("bytes=%d-%d", r.From, r.end()-1)
		if asked := f.requests[len(f.requests)-1].Header.Get("Range"); r.part() && asked != want || !r.part() && asked != "" {
			t.Errorf("%+v: asked for %q", r, asked)
		}
	}
}

func TestPartGoesOnAfterACut(t *testing.T) {
	f := &file{b: blob(1 << 20), cuts: 3, cut: 100 << 10}
	got, err := part(t, served(t, Options{Retries: 1}, f.serve), Range{Path: "blobs/x", From: 1000, To: 900_000, Size: 1 << 20})
	if err != nil || !bytes.Equal(got, f.b[1000:900_000]) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if last := f.requests[len(f.requests)-1].Header.Get("Range"); last != "bytes=308200-899999" {
		t.Errorf("asked for %q at last", last)
	}
}

// A part that begins at the beginning costs nothing twice where the whole comes.
func TestWholeFileServesForItsBeginning(t *testing.T) {
	for name, announced := range map[string]bool{"announced": true, "unannounced": false} {
		b := blob(100 << 10)
		c := served(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			if announced {
				w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			}
			w.Write(b)
		})
		got, err := part(t, c, Range{Path: "blobs/x", To: 50, Size: int64(len(b))})
		if err != nil || !bytes.Equal(got, b[:50]) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		_, err = part(t, c, Range{Path: "blobs/x", From: 1, To: 50, Size: int64(len(b))})
		wants(t, err, ErrRangeIgnored)
	}
}

func TestOtherPartThanAskedForIsRefused(t *testing.T) {
	for _, value := range []string{"bytes 500-599/1000", "bytes 500-698/1000", "bytes 500-999/1000", "bytes 400-699/1000", "bytes 500-699/2000"} {
		c := served(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", value)
			w.WriteHeader(http.StatusPartialContent)
			w.Write(blob(200))
		})
		_, err := part(t, c, Range{Path: "blobs/x", From: 500, To: 700, Size: 1000})
		wants(t, err, ErrWrongLength, "Content-Range")
	}
	for _, r := range []Range{{From: -1}, {From: 5, To: 4}, {To: 11}, {From: 11}} {
		r.Path, r.Size = "blobs/x", 10
		if _, err := part(t, served(t, Options{}, status(500)), r); err == nil {
			t.Errorf("%+v is accepted", r)
		}
	}
}
