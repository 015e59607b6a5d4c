package api_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
)

func TestPollThatFindsNothingNewCostsOneConditionalGet(t *testing.T) {
	w := ready(t, 42)
	status, h, body := w.call("", "GET", "/metadata/timestamp.json", nil)
	if status != 200 || len(body) == 0 || len(body) >= 1024 || h.Get("Cache-Control") != "max-age=60, must-revalidate" {
		t.Errorf("%d, %d bytes, %q", status, len(body), h.Get("Cache-Control"))
	}
	tag := h.Get("ETag")
	for _, match := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		status, h, body = w.call("", "GET", "/metadata/timestamp.json", nil, "If-None-Match", match)
		if status != 304 || len(body) != 0 || h.Get("ETag") != tag {
			t.Errorf("%s: %d, %d bytes", match, status, len(body))
		}
	}
	if status, _, _ = w.call("", "GET", "/metadata/timestamp.json", nil, "If-None-Match", `"other"`); status != 200 {
		t.Errorf("another tag: %d", status)
	}
}

func TestStaticFiles(t *testing.T) {
	w := ready(t, 42)
	if status, h, _ := w.call("", "GET", "/metadata/1.root.json", nil); status != 200 || h.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("root: %d %v", status, h)
	}
	for _, path := range []string{
		"/metadata/2.root.json", "/metadata/99.snapshot.json", "/metadata/../ledger.db", "/blobs/../ledger.db", "/blobs/%2e%2e/x", "/blobs/", "/targets/", "/", "/keys/timestamp.pem",
		"/blobs/" + manifests.SumSHA256([]byte("none")).String(),
	} {
		status, h, body := w.call("", "GET", path, nil)
		if status != 404 || h.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %s", path, status, body)
		}
		// The next root may appear at any publish, and anything else in a moment.
		want := "no-store"
		if path == "/metadata/2.root.json" {
			want = "max-age=60, must-revalidate"
		}
		if got := h.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
	}
	if status, _, _ := w.call("", "POST", "/metadata/timestamp.json", nil); status != 405 {
		t.Errorf("POST: %d", status)
	}
}

func TestBlobIsServedInRanges(t *testing.T) {
	w := ready(t)
	path := "/blobs/" + manifests.SumSHA256(releasetest.Blob).String()
	status, h, body := w.call("", "GET", path, nil, "Range", "bytes=4-7")
	if status != 206 || string(body) != string(releasetest.Blob[4:8]) {
		t.Errorf("%d %q", status, body)
	}
	tag := h.Get("ETag")
	if status, _, _ = w.call("", "GET", path, nil, "Range", "bytes=4-7", "If-Range", tag); status != 206 {
		t.Errorf("If-Range: %d", status)
	}
	if status, _, body = w.call("", "GET", path, nil, "Range", "bytes=4-7", "If-Range", `"other"`); status != 200 || len(body) != len(releasetest.Blob) {
		t.Errorf("If-Range of another file: %d", status)
	}
	if status, _, _ = w.call("", "GET", path, nil, "If-None-Match", tag); status != 304 {
		t.Errorf("conditional: %d", status)
	}
}

func TestMetadataIsCompressedForWhoAsks(t *testing.T) {
	w := ready(t, 42)
	const path = "/metadata/1.root.json"
	_, plain, body := w.call("", "GET", path, nil, "Accept-Encoding", "identity")
	for _, coding := range []string{"gzip", "zstd"} {
		status, h, packed := w.call("", "GET", path, nil, "Accept-Encoding", coding)
		if status != 200 || h.Get("Content-Encoding") != coding || len(packed) >= len(body)*7/8 || h.Get("Content-Length") != strconv.Itoa(len(packed)) {
			t.Errorf("%s: %d, %v, %d bytes of %d", coding, status, h, len(packed), len(body))
		}
		tag := h.Get("ETag")
		if tag == plain.Get("ETag") || !strings.HasPrefix(tag, `"`) {
			t.Errorf("%s: tag %s, as it is %s", coding, tag, plain.Get("ETag"))
		}
		if status, h, _ = w.call("", "GET", path, nil, "Accept-Encoding", coding, "If-None-Match", tag); status != 304 || h.Get("ETag") != tag || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s again: %d %v", coding, status, h)
		}
		// Another form's tag says nothing about this one.
		if status, _, _ = w.call("", "GET", path, nil, "Accept-Encoding", coding, "If-None-Match", plain.Get("ETag")); status != 200 {
			t.Errorf("%s by the tag of another form: %d", coding, status)
		}
		if status, h, none := w.call("", "HEAD", path, nil, "Accept-Encoding", coding); status != 200 || len(none) != 0 || h.Get("Content-Length") != strconv.Itoa(len(packed)) || h.Get("ETag") != tag {
			t.Errorf("HEAD %s: %d %v", coding, status, h)
		}
	}
	if plain.Get("Vary") != "Accept-Encoding" || plain.Get("Content-Encoding") != "" {
		t.Errorf("as it is: %v", plain)
	}
}

func TestDatesDecideNothing(t *testing.T) {
	w := ready(t, 42)
	for _, path := range []string{"/metadata/timestamp.json", "/metadata/1.root.json", "/blobs/" + manifests.SumSHA256(releasetest.Blob).String()} {
		status, h, _ := w.call("", "GET", path, nil, "If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT")
		if status != 200 || h.Get("Last-Modified") != "" {
			t.Errorf("%s: %d %v", path, status, h)
		}
	}
}

func TestTagsAreComparedInEveryLine(t *testing.T) {
	w := ready(t, 42)
	_, h, _ := w.call("", "GET", "/metadata/timestamp.json", nil, "Accept-Encoding", "identity")
	r := httptest.NewRequest("GET", "/metadata/timestamp.json", nil)
	r.Header["If-None-Match"] = []string{`"a", "b"`, `"c", W/` + h.Get("ETag")}
	answer := httptest.NewRecorder()
	if w.api.ServeHTTP(answer, r); answer.Code != 304 {
		t.Errorf("got %d", answer.Code)
	}
}

// The poll path allocates nothing of its own, whatever there is.
func TestPollAllocatesNothing(t *testing.T) {
	w := ready(t, 42)
	for name, header := range map[string]http.Header{
		"new":       {},
		"same":      {"If-None-Match": {"*"}},
		"gzip":      {"Accept-Encoding": {"gzip, deflate, br"}},
		"other tag": {"If-None-Match": {`"a", W/"b"`}},
	} {
		r := httptest.NewRequest("GET", "/metadata/timestamp.json", nil)
		r.Header = header
		rw := sink{http.Header{}}
		if n := testing.AllocsPerRun(100, func() { w.api.ServeHTTP(rw, r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// spy is a connection that tells what its bytes come from: sendfile is for
// files that reach the connection as files.
type spy struct {
	*net.TCPConn
	files *atomic.Int64
}

func (s spy) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if _, file := l.R.(syscall.Conn); file {
			s.files.Add(1)
		}
	}
	return s.TCPConn.ReadFrom(r)
}

type spies struct {
	net.Listener
	files atomic.Int64
}

func (l *spies) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return spy{c.(*net.TCPConn), &l.files}, nil
}

func TestBlobsGoFromFileToConnection(t *testing.T) {
	w := ready(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	l, ended := &spies{Listener: inner}, make(chan error)
	server := api.NewServer(w.api)
	go func() { ended <- server.Serve(l) }()
	large := bytes.Repeat(releasetest.Blob, 1+(64<<10)/len(releasetest.Blob)) // the first 512 bytes go with the header
	path := layout.BlobFile(manifests.SumSHA256(large))
	w.must(store.PutBytes(ctx, w.blobs, path, large))
	address := "http://" + inner.Addr().String() + "/" + path
	for _, header := range []http.Header{{}, {"Range": {"bytes=400-40000"}}} {
		r, err := http.NewRequest("GET", address, nil)
		w.must(err)
		r.Header = header
		before := l.files.Load()
		resp, err := http.DefaultClient.Do(r)
		w.must(err)
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode/100 != 2 {
			t.Error(resp.Status, err)
		}
		w.must(resp.Body.Close())
		if l.files.Load() != before+1 {
			t.Errorf("%v: the bytes went through this program", header)
		}
	}
	w.must(server.Close())
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// sink is a ResponseWriter that costs nothing, so that the benchmark weighs
// the handler alone.
type sink struct{ h http.Header }

func (s sink) Header() http.Header         { return s.h }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(int)             {}

func BenchmarkPoll(b *testing.B) {
	w := ready(b, 42)
	_, h, _ := w.call("", "GET", "/metadata/timestamp.json", nil)
	tag := h.Get("ETag")
	bare := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Etag", tag)
		rw.WriteHeader(http.StatusNotModified)
	})
	for name, handler := range map[string]http.Handler{"candor": w.api, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/metadata/timestamp.json", nil)
			r.Header.Set("If-None-Match", tag)
			rw := sink{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(rw, r)
			}
		})
		b.Run(name+"-http", func(b *testing.B) {
			s := httptest.NewServer(handler)
			defer s.Close()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := http.NewRequest("GET", s.URL+"/metadata/timestamp.json", nil)
					if err != nil {
						b.Error(err)
						return
					}
					r.Header.Set("If-None-Match", tag)
					resp, err := http.DefaultClient.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					if err := resp.Body.Close(); err != nil || resp.StatusCode != 304 {
						b.Error(resp.StatusCode, err)
						return
					}
				}
			})
		})
	}
}

func TestBytesOfImagesAreCounted(t *testing.T) {
	w := ready(t, 43)
	path := "/" + layout.BlobFile(manifests.SumSHA256(releasetest.Blob))
	w.call("", "GET", path, nil)
	w.call("", "GET", path, nil, "Range", "bytes=0-1")
	want, got := float64(len(releasetest.Blob)+2), 0.0
	for tries := 0; got != want && tries < 500; tries++ { // counted once they are sent, which the reader may not wait for
		<-time.After(10 * time.Millisecond)
		got = w.figures()["candor_blob_bytes_total"]
	}
	if got != want {
		t.Errorf("%v bytes were counted", got)
	}
}
