package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/storetest"
)

// dying is a sender that is killed in the middle of what it sends, as long as
// it is on.
type dying struct {
	http.RoundTripper
	on atomic.Bool
}

var errKilled = errors.New("killed")

func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.on.Load() && r.Method == http.MethodPut && r.ContentLength > 1 {
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), broken{}))
	}
	return d.RoundTripper.RoundTrip(r)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errKilled }

// A service may take the bytes that came for all of them. The object would be
// there for ever: it is written once, and has the name of other bytes.
func TestSenderThatDiesLeavesNoHalfObject(t *testing.T) {
	server := storetest.StartS3(t)
	c := server.Config(t, "dying")
	sender := &dying{RoundTripper: c.Transport}
	c.Transport, c.PartSize = sender, smallPart
	b, err := s3.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		for _, size := range []int{100, smallPart, 2*smallPart + 16} {
			key, data := fmt.Sprintf("blobs/%d-%d", n, size), bytes.Repeat([]byte{byte(n + 1)}, size)
			sender.on.Store(true)
			if err := store.PutBytes(t.Context(), b, key, data); err == nil {
				t.Fatalf("%s: half of it was taken for all", key)
			}
			if info, err := b.Stat(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %d bytes of %d are there, %v", key, info.Size, size, err)
			}
			sender.on.Store(false)
			if err := store.PutBytes(t.Context(), b, key, data); err != nil {
				t.Errorf("%s, sent anew: %v", key, err)
			}
			if !bytes.Equal(read(t, b, key), data) {
				t.Errorf("%s has other bytes", key)
			}
		}
	}
}
