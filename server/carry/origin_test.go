package carry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
)

// dripping answers with ten bytes, one after each pause.
type dripping time.Duration

func (d dripping) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: &drops{ctx: r.Context(), pause: time.Duration(d), left: 10}}, nil
}

type drops struct {
	ctx   context.Context
	pause time.Duration
	left  int
}

func (d *drops) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(d.pause):
		d.left--
		return copy(p, "x"), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (*drops) Close() error { return nil }

// A thin line is no reason to have no mirror: what counts is that bytes come.
func TestSlowOriginIsWaitedForAndADeadOneIsNot(t *testing.T) {
	for pause, want := range map[time.Duration]error{20 * time.Second: nil, 40 * time.Second: context.Canceled} {
		synctest.Test(t, func(t *testing.T) {
			o, err := NewWebOrigin("https://ota.example.org", nil)
			if err != nil {
				t.Fatal(err)
			}
			o.client.Transport = dripping(pause)
			if data, _, err := o.Load(t.Context(), layout.TimestampFile); !errors.Is(err, want) || want == nil && len(data) != 10 {
				t.Errorf("a byte each %s: %q, %v", pause, data, err)
			}
			image, err := o.Image(t.Context(), layout.TimestampFile, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = io.ReadAll(image); !errors.Is(err, want) {
				t.Errorf("an image, a byte each %s: %v", pause, err)
			}
			if err := image.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
