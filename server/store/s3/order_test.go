package s3_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/store/s3"
)

// forgetful is a service that gives its first names whatever they are asked to
// come after, or gives names in an order of its own.
type forgetful struct{ names []string }

func (f forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, ""
	switch {
	case r.URL.Query().Get("list-type") == "2":
		var b strings.Builder
		for _, n := range f.names {
			fmt.Fprintf(&b, "<Contents><Key>candor/%s</Key><Size>1</Size></Contents>", n)
		}
		body = "<ListBucketResult>" + b.String() + "</ListBucketResult>"
	case r.Method == http.MethodPut || r.Method == http.MethodPost: // against a condition
		status = http.StatusPreconditionFailed
	}
	return reply(r, status, body), nil
}

// A list that began anew for ever would stop a start, and one with a hole would
// have a mirror, or the sweep of what nothing names, miss objects.
func TestListWithoutOrderIsRefused(t *testing.T) {
	first := make([]string, 1000)
	for i := range first {
		first[i] = fmt.Sprintf("blobs/%04d", i)
	}
	for name, c := range map[string]struct {
		service forgetful
		fine    bool
	}{
		"a few, in order":         {forgetful{first[:3]}, true},
		"the same page each time": {forgetful{first}, false},
		"another order":           {forgetful{[]string{"blobs/2", "blobs/1"}}, false},
		"one twice":               {forgetful{[]string{"blobs/1", "blobs/1"}}, false},
	} {
		b, err := s3.New(t.Context(), s3.Config{
			Endpoint: "s3.example.org", Region: "us-east-1", Bucket: "bucket", Prefix: "candor/",
			AccessKey: "a", SecretKey: "s", Transport: c.service,
		})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err = range b.List(t.Context(), "") {
			if n++; err != nil {
				break
			}
		}
		if (err == nil) != c.fine || err != nil && !strings.Contains(err.Error(), "in the order of their bytes") || n > len(c.service.names)+1 {
			t.Errorf("%s: %d names, %v", name, n, err)
		}
	}
}
