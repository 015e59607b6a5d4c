package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
)

// leisurely is a service that puts parts together by copying them, and answers
// when it has.
type leisurely struct {
	finish   time.Duration
	finished int // times that it was asked to
}

func (l *leisurely) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	status, body := http.StatusOK, ""
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodHead && strings.Count(r.URL.Path, "/") > 2:
		status = http.StatusNotFound
	case query.Has("uploads"):
		body = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
	case query.Has("partNumber"):
	case r.Method == http.MethodDelete:
		status = http.StatusNoContent
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/x"):
		l.finished++
		select {
		case <-time.After(l.finish):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		body = "<CompleteMultipartUploadResult><Bucket>bucket</Bucket><ETag>e</ETag></CompleteMultipartUploadResult>"
	case r.Method == http.MethodPut || r.Method == http.MethodPost: // against a condition
		status = http.StatusPreconditionFailed
	}
	return reply(r, status, body), nil
}

// reply is what a service that is played says to r.
func reply(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Etag": {`"e"`}, "Last-Modified": {"Sat, 01 Jan 2000 00:00:00 GMT"}, "Content-Length": {fmt.Sprint(len(body))}},
		Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// Some services copy the parts into one file: an image of 10 GB then takes
// minutes, however fast it was sent.
func TestServiceMayTakeItsTimeToPutALargeObjectTogether(t *testing.T) {
	for _, c := range []struct {
		parts int
		takes time.Duration
		fine  bool
	}{
		{2, 55 * time.Second, true},
		{2, 80 * time.Second, false}, // by then it hangs
		{20, 80 * time.Second, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			service := &leisurely{finish: c.takes}
			b, err := s3.New(t.Context(), s3.Config{
				Endpoint: "s3.example.org", Region: "us-east-1", Bucket: "bucket", Prefix: "candor/",
				AccessKey: "a", SecretKey: "s", Transport: service, PartSize: smallPart,
			})
			if err != nil {
				t.Fatal(err)
			}
			err = store.PutBytes(t.Context(), b, "x", bytes.Repeat([]byte("x"), c.parts*smallPart))
			if tries := service.finished; (err == nil) != c.fine || c.fine != (tries == 1) {
				t.Errorf("%d parts in %s, asked %d times: %v", c.parts, c.takes, tries, err)
			}
		})
	}
}
