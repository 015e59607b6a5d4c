package install_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/candor-ota/candor/client/install"
)

func TestCoalesceClosesTheSmallestGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for round := range 200 {
		var spans []install.Span
		var gaps []int64
		at := int64(0)
		for range r.IntN(400) {
			gap := r.Int64N(1 << (4 + r.IntN(16)))
			if round%3 == 0 {
				gap = 5000 // all the same
			}
			from := at + gap
			to := from + 1 + r.Int64N(50_000)
			if len(spans) > 0 {
				gaps = append(gaps, gap)
			}
			spans, at = append(spans, install.Span{From: from, To: to}), to
		}
		got := install.Coalesce(spans)
		open := slices.DeleteFunc(slices.Clone(gaps), func(gap int64) bool { return gap < 4<<10 })
		slices.Sort(open)
		want := min(len(open)+1, install.MaxRanges, len(spans))
		if len(got) != want {
			t.Fatalf("%d of %d spans, want %d", len(got), len(spans), want)
		}
		closed, i := int64(0), 0
		for _, s := range spans {
			if s.From >= got[i].To {
				i++
			}
			if s.From < got[i].From || s.To > got[i].To {
				t.Fatalf("%v is not within %v", s, got[i])
			}
			closed -= s.To - s.From
		}
		for _, s := range got {
			closed += s.To - s.From
		}
		least := int64(0)
		for _, gap := range gaps {
			least += gap
		}
		if want > 1 {
			for _, gap := range open[len(open)-(want-1):] {
				least -= gap
			}
		}
		if closed != least {
			t.Fatalf("%d bytes of gaps closed; the smallest have %d", closed, least)
		}
	}
	if install.Coalesce(nil) != nil {
		t.Error("nothing became something")
	}
}
