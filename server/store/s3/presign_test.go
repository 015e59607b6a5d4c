package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

// get asks for a URL as a handset does: with a range, and nothing of ours.
func get(t *testing.T, client http.RoundTripper, where, wanted string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, where, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", wanted)
	resp, err := client.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
	return resp.StatusCode, body
}

func TestPresignedURLOpensOneObjectAtThePublicEndpoint(t *testing.T) {
	server := storetest.StartS3(t)
	c := server.Config(t, "bucket")
	c.Prefix, c.Region = "candor/", "" // so that it is asked for
	public := server.Faulty(t).Through(c)
	c.PublicEndpoint = public.Endpoint
	b, err := s3.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"x", "y"} {
		if err := store.PutBytes(t.Context(), b, key, []byte("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	where, err := b.Presign(t.Context(), "x", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "https" || u.Host != public.Endpoint {
		t.Errorf("%s is not at %s", where, public.Endpoint)
	}
	if status, body := get(t, public.Transport, where, "bytes=2-4"); status != http.StatusPartialContent || string(body) != "234" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := get(t, public.Transport, strings.Replace(where, "candor/x", "candor/y", 1), "bytes=0-"); status != http.StatusForbidden {
		t.Errorf("another object with the same signature: %d", status)
	}
	for _, key := range []string{"../x", ""} {
		if where, err := b.Presign(t.Context(), key, time.Hour); err == nil {
			t.Errorf("%q: %s", key, where)
		}
	}
}

func TestEachRangeIsOneRequest(t *testing.T) {
	d := openBadDays(t, calm)
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	if err := store.PutBytes(t.Context(), d.blobs, "x", data); err != nil {
		t.Fatal(err)
	}
	d.Log()
	r, info, err := d.blobs.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	o, ok := r.(*s3.Object)
	if !ok {
		t.Fatalf("Open gives %T", r)
	}
	o.Expect([][2]int64{{100, 200_000}, {250_000, info.Size}})
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/octet-stream") // or it is looked for in the first bytes
	req := httptest.NewRequest(http.MethodGet, "/x", nil)
	req.Header.Set("Range", "bytes=100-199999")
	http.ServeContent(w, req, "", time.Time{}, r)
	if !bytes.Equal(w.Body.Bytes(), data[100:200_000]) {
		t.Error("other bytes")
	}
	if got := d.Log(); !slices.Equal(got, []string{"HEAD /bucket/candor/x", "GET /bucket/candor/x bytes=100-199999"}) {
		t.Errorf("requests: %q", got)
	}
	// What was not announced is read all the same.
	if _, err := r.Seek(200, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, data[200:]) {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
