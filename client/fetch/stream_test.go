package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"
)

func blob(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(b)
	return b
}

// file serves b as a web server would. The first cuts answers end after cut
// bytes.
type file struct {
	counted
	b    []byte
	cuts int
	cut  int
	etag string
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r)
	cut := len(f.requests) <= f.cuts
	f.mu.Unlock()
	if f.etag != "" {
		w.Header().Set("ETag", f.etag)
	}
	if cut {
		w = &cutShort{w, f.cut}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.b))
}

type cutShort struct {
	http.ResponseWriter
	left int
}

func (c *cutShort) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.left -= n
	if _, err := c.ResponseWriter.Write(b[:n]); err != nil {
		return 0, err
	}
	if c.left == 0 {
		http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

func (c *cutShort) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func TestDownloadContinuesAfterEveryCut(t *testing.T) {
	f := &file{b: blob(1 << 20), cuts: 8, cut: 100 << 10, etag: `"1"`}
	c := served(t, Options{Retries: 1}, f.serve)
	body, err := c.Open(t.Context(), "blobs/x", 0, int64(len(f.b)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, f.b) {
		t.Error("other bytes came")
	}
	for i, r := range f.requests[1:] {
		want := fmt.Sprintf("bytes=%d-%d", (i+1)*(100<<10), len(f.b)-1)
		if r.Header.Get("Range") != want || r.Header.Get("If-Range") != `"1"` {
			t.Errorf("request %d: %v", i+1, r.Header)
		}
	}
}

func TestDownloadGivesUpWithoutProgress(t *testing.T) {
	f := &file{b: blob(1 << 20), cuts: 100, cut: 10}
	c := served(t, Options{Retries: 3}, f.serve)
	_, err := io.ReadAll(c.Download(t.Context(), "blobs/x", 0, int64(len(f.b))))
	wants(t, err, io.ErrUnexpectedEOF, "blobs/x")
	if f.count() != 4 {
		t.Errorf("%d requests", f.count())
	}
}

func TestDownloadMovesToTheNextMirror(t *testing.T) {
	b := blob(1 << 20)
	bad, good := &file{b: b, cuts: 1, cut: 300 << 10, etag: `"a"`}, &file{b: b, etag: `"b"`}
	var gone http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		if bad.count() > 0 {
			status(404)(w, r)
			return
		}
		bad.serve(w, r)
	}
	c := served(t, Options{}, gone, good.serve)
	d := c.Download(t.Context(), "blobs/x", 0, int64(len(b)))
	got, err := io.ReadAll(d)
	if err != nil || !bytes.Equal(got, b) {
		t.Fatal(err)
	}
	if r := good.requests[0]; r.Header.Get("If-Range") != "" {
		t.Error("one mirror's ETag was shown to another")
	}
	if d.Origin() != c.options.Bases[1] {
		t.Errorf("origin %s", d.Origin())
	}
}

func TestWholeFileInsteadOfTheRestIsTheCallersToDecide(t *testing.T) {
	whole := func(w http.ResponseWriter, _ *http.Request) { w.Write(blob(1000)) }
	_, err := served(t, Options{}, whole).Open(t.Context(), "blobs/x", 500, 1000)
	wants(t, err, ErrRangeIgnored)
}

func TestReplacedFileIsNotContinued(t *testing.T) {
	for name, c := range map[string]struct {
		sloppy bool // the server does not look at If-Range
		want   error
	}{"by its server": {false, ErrRangeIgnored}, "by the handset": {true, ErrWrongLength}} {
		t.Run(name, func(t *testing.T) {
			f := &file{b: blob(1 << 20), cuts: 1, cut: 300 << 10, etag: `"1"`}
			client := served(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				if f.count() == 1 {
					f.etag = `"2"`
				}
				if c.sloppy {
					r.Header.Del("If-Range")
				}
				f.serve(w, r)
			})
			_, err := io.ReadAll(client.Download(t.Context(), "blobs/x", 0, int64(len(f.b))))
			wants(t, err, c.want)
		})
	}
}

func TestWrongRangeIsRefused(t *testing.T) {
	for _, value := range []string{
		"bytes 500-998/1000", "bytes 501-999/1000", "bytes 500-999/1001", "bytes 500-999/*", "bytes 0-999/1000",
		"500-999/1000", "bytes 500-999", "bytes +500-999/1000", "bytes 500-999/1000, 0-1/1000", "",
	} {
		var seen counted
		c := served(t, Options{}, seen.handler(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", value)
			w.WriteHeader(http.StatusPartialContent)
			w.Write(blob(500))
		}))
		_, err := c.Open(t.Context(), "blobs/x", 500, 1000)
		wants(t, err, ErrWrongLength, "Content-Range")
		if seen.count() != 1 {
			t.Errorf("%q: %d requests", value, seen.count())
		}
	}
}

func TestWrongLengthIsRefused(t *testing.T) {
	for _, n := range []int{0, 999, 1001} {
		c := served(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(n))
			w.Write(blob(n))
		})
		_, err := c.Open(t.Context(), "blobs/x", 0, 1000)
		wants(t, err, ErrWrongLength)
	}
	_, err := served(t, Options{}, status(http.StatusRequestedRangeNotSatisfiable)).Open(t.Context(), "blobs/x", 900, 1000)
	wants(t, err, ErrWrongLength, "shorter")
}

func TestUnannouncedLengthIsStillExact(t *testing.T) {
	for n, want := range map[int]error{1000: nil, 999: io.ErrUnexpectedEOF, 1001: ErrTooLarge, 5000: ErrTooLarge} {
		c := served(t, Options{Retries: -1}, func(w http.ResponseWriter, _ *http.Request) {
			http.NewResponseController(w).Flush()
			w.Write(blob(n))
		})
		got, err := io.ReadAll(c.Download(t.Context(), "blobs/x", 0, 1000))
		if !errors.Is(err, want) || (want == nil && !bytes.Equal(got, blob(1000))) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
}

func TestCompressedBlobIsRefused(t *testing.T) {
	c := served(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(blob(1000))
	})
	_, err := c.Open(t.Context(), "blobs/x", 0, 1000)
	wants(t, err, ErrWrongLength, "content encoding")
}

func TestNothingMissingCostsNoRequest(t *testing.T) {
	var seen counted
	body, err := served(t, Options{}, seen.handler(status(500))).Open(t.Context(), "blobs/x", 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(body); len(b) != 0 || err != nil || seen.count() != 0 {
		t.Errorf("%d bytes, %v, %d requests", len(b), err, seen.count())
	}
}

func TestStalledDownloadTriesAgain(t *testing.T) {
	b, stalled := blob(100<<10), false
	h := func(w http.ResponseWriter, r *http.Request) {
		if !stalled {
			stalled = true
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Write(b[:70<<10])
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
	o := patience
	o.Retries = 2
	inTime(t, o, h, func(t *testing.T, c *Client) {
		d := c.Download(t.Context(), "blobs/x", 0, int64(len(b)))
		got, err := io.ReadAll(d)
		if err := errors.Join(err, d.Close()); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// The reader pauses far longer than the window: that is the disk, not the
// network.
func TestSlowReaderIsNotTakenForASlowNetwork(t *testing.T) {
	b := blob(1 << 20)
	h := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
	inTime(t, patience, h, func(t *testing.T, c *Client) {
		d := c.Download(t.Context(), "blobs/x", 0, int64(len(b)))
		for range 8 {
			if _, err := io.CopyN(io.Discard, d, 128<<10); err != nil {
				t.Fatal(err)
			}
			pass(t, 10*patience.RateWindow)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}
