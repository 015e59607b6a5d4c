package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

// BenchmarkStream compares what a server without redirects does with the least
// that minio-go could do: get, and copy.
func BenchmarkStream(b *testing.B) {
	server := storetest.StartS3(b)
	c := server.Config(b, "bucket")
	c.Transport = s3.Transport(server.Transport.TLSClientConfig.RootCAs)
	blobs, err := s3.New(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	const size = 64 << 20
	if err := store.PutBytes(b.Context(), blobs, "x", bytes.Repeat([]byte("0123456789abcdef"), size/16)); err != nil {
		b.Fatal(err)
	}
	core, err := minio.NewCore(c.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Region: c.Region, Secure: true, Transport: c.Transport,
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name  string
		serve func(w http.ResponseWriter, r *http.Request) error
	}{
		{"bare", func(w http.ResponseWriter, r *http.Request) error {
			body, _, _, err := core.GetObject(r.Context(), c.Bucket, "x", minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			w.Header().Set("Content-Length", fmt.Sprint(size))
			if _, err := io.Copy(w, body); err != nil {
				return err
			}
			return body.Close()
		}},
		{"ours", func(w http.ResponseWriter, r *http.Request) error {
			body, _, err := blobs.Open(r.Context(), "x")
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/octet-stream")
			http.ServeContent(w, r, "", time.Time{}, body)
			return body.Close()
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := way.serve(w, r); err != nil {
					b.Error(err)
				}
			}))
			defer front.Close()
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				resp, err := http.Get(front.URL)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, resp.Body)
				if closeErr := resp.Body.Close(); err != nil || closeErr != nil || n != size {
					b.Fatal(n, err, closeErr)
				}
			}
		})
	}
}

// The memory of a download does not grow with what is downloaded.
func TestStreamingTakesTheSameMemoryForAnySize(t *testing.T) {
	d := openBadDays(t, calm)
	taken := func(size int) float64 {
		key := fmt.Sprintf("x%d", size)
		if err := store.PutBytes(t.Context(), d.direct, key, bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 32<<10)
		return testing.AllocsPerRun(3, func() {
			r, _, err := d.direct.Open(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = r.Read(buffer)
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
	small, big := taken(64<<10), taken(4<<20)
	if big > 2*small+200 {
		t.Errorf("%v allocations for 64 KiB, %v for 4 MiB", small, big)
	}
}
