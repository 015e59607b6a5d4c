package trust_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

func TestSwitchToSpareVoteKeysIsReadFromWhatEngineersSign(t *testing.T) {
	r := newRepo(t)
	c := r.handset()
	view, err := c.Poll(t.Context())
	if err != nil || view.SpareVotes != nil {
		t.Fatalf("%v, %v", view.SpareVotes, err)
	}
	signs := func(field any) (*trust.View, error) {
		r.rels.Signed.Version++
		r.rels.Signed.UnrecognizedFields = map[string]any{layout.FieldSpare: field}
		r.publish()
		return c.Poll(t.Context())
	}
	if view, err = signs([]any{41, 43}); err != nil || !slices.Equal(view.SpareVotes, []manifests.Build{41, 43}) {
		t.Errorf("%v, %v", view.SpareVotes, err)
	}
	for _, field := range []any{[]any{43, 41}, []any{}, "43", []any{"43"}} {
		if _, err := signs(field); !errors.Is(err, trust.ErrMalformed) {
			t.Errorf("%v: %v", field, err)
		}
	}
}
