package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

const smallPart = 5 << 20

func TestConformance(t *testing.T) {
	server := storetest.StartS3(t)
	n := 0
	storetest.Blobs(t, smallPart*2+16, func(t *testing.T) store.Blobs {
		n++
		c := server.Config(t, fmt.Sprintf("bucket-%d", n))
		c.PartSize, c.Prefix = smallPart, "candor/"
		b, err := s3.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	t.Run("MissingBucketRefused", func(t *testing.T) {
		c := server.Config(t, "there")
		c.Bucket = "not-there"
		if _, err := s3.New(t.Context(), c); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v; want ErrNotFound", err)
		}
	})
	t.Run("WrongKeyRefused", func(t *testing.T) {
		c := server.Config(t, "locked")
		c.SecretKey = "wrong-secret"
		if _, err := s3.New(t.Context(), c); err == nil {
			t.Error("a wrong secret opened the bucket")
		}
	})
}

// A service that knows no conditions would let a paused publisher overwrite
// what its successor wrote.
func TestBucketThatIgnoresConditionsRefused(t *testing.T) {
	for _, honours := range []string{"", "If-None-Match", "both"} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
			switch {
			case inParts(w, r, http.StatusOK):
			case honours == "both" && r.Method == http.MethodPut, honours != "" && r.Header.Get(honours) != "":
				w.WriteHeader(http.StatusPreconditionFailed)
			}
		}))
		t.Cleanup(server.Close)
		_, err := s3.New(t.Context(), s3.Config{
			Endpoint: strings.TrimPrefix(server.URL, "https://"), Region: "us-east-1", Bucket: "bucket",
			AccessKey: "a", SecretKey: "b", Transport: server.Client().Transport,
		})
		if err == nil || !strings.Contains(err.Error(), "it ignores") {
			t.Errorf("honouring %q only, and in no upload in parts: got %v; want a refusal", honours, err)
		}
	}
}

// inParts plays uploads in parts, which all end with one status.
func inParts(w http.ResponseWriter, r *http.Request, status int) bool {
	q := r.URL.Query()
	switch {
	case q.Has("uploads"):
		fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
	case q.Has("uploadId") && r.Method == http.MethodPost:
		w.WriteHeader(status)
		if status == http.StatusOK {
			fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>bucket</Bucket><ETag>"1"</ETag></CompleteMultipartUploadResult>`)
		}
	}
	return q.Has("uploads") || q.Has("uploadId")
}

// A create that is refused because another is under way waits for its object,
// and says so when there never is one.
func TestRefusedCreateWaitsForTheOther(t *testing.T) {
	for name, c := range map[string]struct {
		appears bool
		want    string
	}{"it appears": {true, ""}, "it never does": {false, "put it again"}} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
				w.Header().Set("Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT")
				switch {
				case inParts(w, r, http.StatusPreconditionFailed):
				case r.Method == http.MethodPut:
					w.WriteHeader(http.StatusPreconditionFailed)
				case strings.HasSuffix(r.URL.Path, "/x"):
					if looks++; looks < 3 || !c.appears {
						w.WriteHeader(http.StatusNotFound)
						return
					}
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader("bytes"))
				}
			}))
			t.Cleanup(server.Close)
			b, err := s3.New(t.Context(), s3.Config{
				Endpoint: strings.TrimPrefix(server.URL, "https://"), Region: "us-east-1", Bucket: "bucket",
				AccessKey: "a", SecretKey: "b", Transport: server.Client().Transport,
			})
			if err != nil {
				t.Fatal(err)
			}
			err = store.PutBytes(t.Context(), b, "x", []byte("bytes"))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v; want %q", err, c.want)
			}
			if errors.Is(err, store.ErrNotFound) {
				t.Error("a put says that it found nothing")
			}
		})
	}
}

// Services give a thousand names at once.
func TestListGoesOnAfterEachPageAndRepeatsTheOneThatFailed(t *testing.T) {
	const objects = 1003
	server := storetest.StartS3(t)
	d := badDaysOf(t, server, "many", calm)
	for i := range objects {
		if err := server.Lay("many", fmt.Sprintf("candor/blobs/%04d", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	pages := 0
	d.Set(func(r *http.Request) storetest.Fault {
		if pages++; pages == 2 { // the second page, the first time
			return storetest.Fault{Half: true}
		}
		return storetest.Fault{}
	})
	got := listed(t, d.blobs)
	if len(got) != objects || !slices.IsSorted(got) || len(slices.Compact(got)) != objects || pages != 3 {
		t.Errorf("%d names in %d requests", len(got), pages)
	}
}
