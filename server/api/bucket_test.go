package api_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

// inBucket is a service whose blobs are in a real bucket. All that it asks for
// passes the proxy.
func inBucket(t *testing.T, keep func(*s3.Blobs) store.Blobs) (*world, *storetest.Faulty, s3.Config) {
	t.Helper()
	server := storetest.StartS3(t)
	proxy := server.Faulty(t)
	c := server.Config(t, "bucket")
	inner := proxy.Through(c)
	inner.PublicEndpoint = c.Endpoint
	b, err := s3.New(t.Context(), inner)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(w *world) { w.bucket = keep(b) })
	w.must(store.PutBytes(ctx, b, blobPath[1:], releasetest.Blob))
	proxy.Log()
	return w, proxy, c
}

var blobPath = "/blobs/" + manifests.SumSHA256(releasetest.Blob).String()

func TestNoBytesOfABucketPassTheServer(t *testing.T) {
	w, proxy, c := inBucket(t, func(b *s3.Blobs) store.Blobs { return b })
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	status, h, _ := w.exchange(client, "GET", blobPath, nil, "Range", "bytes=4-7")
	where := h.Get("Location")
	if status != http.StatusTemporaryRedirect || !strings.HasPrefix(where, "https://"+c.Endpoint+"/bucket"+blobPath+"?") {
		t.Fatalf("%d to %s", status, where)
	}
	if log := proxy.Log(); len(log) > 0 {
		t.Errorf("the server asked the bucket: %q", log)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, where, nil)
	w.must(err)
	req.Header.Set("Range", "bytes=4-7")
	resp, err := c.Transport.RoundTrip(req)
	w.must(err)
	body := make([]byte, 4)
	_, err = resp.Body.Read(body)
	if resp.StatusCode != http.StatusPartialContent || string(body) != string(releasetest.Blob[4:8]) {
		t.Errorf("%d %q %v", resp.StatusCode, body, err)
	}
	w.must(resp.Body.Close())
	status, h, _ = w.exchange(client, "HEAD", blobPath, nil)
	if status != http.StatusOK || h.Get("Content-Length") != strconv.Itoa(len(releasetest.Blob)) {
		t.Errorf("HEAD: %d, %s bytes", status, h.Get("Content-Length"))
	}
	if log := proxy.Log(); slices.ContainsFunc(log, func(asked string) bool { return strings.HasPrefix(asked, "GET") }) {
		t.Errorf("HEAD took bytes from the bucket: %q", log)
	}
}

// keptIn hides that a bucket can presign, as s3.redirect: false does.
type keptIn struct{ store.Blobs }

func TestEachRangeIsOneRequestToTheBucket(t *testing.T) {
	w, proxy, _ := inBucket(t, func(b *s3.Blobs) store.Blobs { return keptIn{b} })
	blob, last := releasetest.Blob, len(releasetest.Blob)-1
	for wanted, c := range map[string]struct {
		asked []string
		want  []byte
	}{
		"bytes=4-7":    {[]string{"bytes=4-7"}, blob[4:8]},
		"bytes=4-":     {[]string{""}, blob[4:]},
		"bytes=-3":     {[]string{""}, blob[last-2:]},
		"bytes=0-1":    {[]string{"bytes=0-1"}, blob[:2]},
		"bytes=4-9999": {[]string{""}, blob[4:]},
		"":             {[]string{""}, blob},
		"bytes=9999-":  {nil, nil},
		"bytes=x-y":    {nil, nil},
	} {
		status, _, body := w.call("", "GET", blobPath, nil, "Range", wanted)
		if c.want != nil && string(body) != string(c.want) || c.want == nil && status != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("%s: %d, %q", wanted, status, body)
		}
		var asked []string
		for _, line := range proxy.Log() {
			if r, ok := strings.CutPrefix(line, "GET /bucket"+blobPath); ok {
				asked = append(asked, strings.TrimSpace(r))
			}
		}
		for i, r := range asked { // open ends may be written out
			if c.asked[min(i, len(c.asked)-1)] == "" && r != "" && strings.Contains(r, "-") {
				asked[i] = ""
			}
		}
		if !slices.Equal(asked, c.asked) {
			t.Errorf("%s: asked for %q; want %q", wanted, asked, c.asked)
		}
	}
}

func TestBucketThatFailsIsSaidToFail(t *testing.T) {
	w, proxy, _ := inBucket(t, func(b *s3.Blobs) store.Blobs { return keptIn{b} })
	proxy.Set(func(*http.Request) storetest.Fault { return storetest.Fault{Status: 403, Code: "AccessDenied"} })
	status, _, body := w.call("", "GET", blobPath, nil)
	if status != http.StatusServiceUnavailable || strings.Contains(string(body), "bucket") {
		t.Errorf("%d %s", status, body)
	}
	if log := w.log.String(); !strings.Contains(log, "the service forbids it") || !strings.Contains(log, "bucket bucket") {
		t.Errorf("the log does not say why: %s", log)
	}
	proxy.Set(nil)
	ended := time.Now()
	if status, _, body := w.call("", "GET", blobPath, nil); status != http.StatusOK || string(body) != string(releasetest.Blob) {
		t.Errorf("after it ended: %d", status)
	}
	storetest.Recovered(t, "downloads, after the bucket forbade them", ended)
}
