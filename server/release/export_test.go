package release

import (
	"context"
	"time"

	"github.com/candor-ota/candor/server/publish"
)

// Probe verifies one file against an empty state.
func Probe(name string, data []byte) error {
	v := verifier{
		ctx: context.Background(), now: time.Unix(1, 0), online: []map[string]string{{}},
		given: publish.Submission{Metadata: map[string][]byte{name: data}},
	}
	return v.verify()
}
