package api_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// bounded is an answer that notes until when it may be written.
type bounded struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (b *bounded) SetWriteDeadline(at time.Time) error {
	b.until = at
	return nil
}

// TestSlowReaderOfMetadataIsGivenUpAtTheMinimumRate looks at the deadline that
// long files are given; what fits into one buffer, as the poll does, needs none.
func TestSlowReaderOfMetadataIsGivenUpAtTheMinimumRate(t *testing.T) {
	var builds []manifests.Build
	for b := manifests.Build(42); b < 72; b++ {
		builds = append(builds, b)
	}
	w := ready(t, builds...)
	ask := func(path string) *bounded {
		out := &bounded{ResponseRecorder: httptest.NewRecorder()}
		w.api.ServeHTTP(out, httptest.NewRequest("GET", path, nil))
		if out.Code != 200 {
			t.Fatalf("%s: %d", path, out.Code)
		}
		return out
	}
	if out := ask("/metadata/timestamp.json"); !out.until.IsZero() {
		t.Errorf("a poll of %d bytes waits for a timer", out.Body.Len())
	}
	begun := time.Now()
	out := ask("/metadata/31.releases-phone.json")
	least, size := begun.Add(time.Minute), time.Duration(out.Body.Len())*time.Second
	if most := time.Now().Add(time.Minute + size/(16<<10) + time.Second); out.until.Before(least) || out.until.After(most) || out.Body.Len() <= 4<<10 {
		t.Errorf("%d bytes may take until %s", out.Body.Len(), out.until)
	}
}
