package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/release/releasetest"
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
		"/metadata/2.root.json", "/metadata/../ledger.db", "/blobs/../ledger.db", "/blobs/%2e%2e/x", "/blobs/", "/targets/", "/", "/keys/timestamp.pem",
		"/blobs/" + manifests.SumSHA256([]byte("none")).String(),
	} {
		if status, h, body := w.call("", "GET", path, nil); status != 404 || h.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %s", path, status, body)
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
