package install

import "slices"

// Span is a part of a blob: bytes From up to, not including, To.
type Span struct{ From, To int64 }

// Limits of what is asked for.
const (
	MaxRanges     = 96      // requests for one pack
	alwaysMerged  = 4 << 10 // bytes: a gap that costs less than the request that it spares
	requestBytes  = 1 << 10 // what a request costs, beside its body
	rangesAtATime = 3       // in flight
)

// Coalesce merges spans, which are in order and do not overlap, until at most
// MaxRanges are left. The smallest gaps go first; gaps below 4 KiB always go.
func Coalesce(spans []Span) []Span {
	gaps := make([]int64, 0, len(spans))
	for i := 1; i < len(spans); i++ {
		if gap := spans[i].From - spans[i-1].To; gap >= alwaysMerged {
			gaps = append(gaps, gap)
		}
	}
	// The largest gaps stay open, and of equals the first ones.
	open, ties := int64(alwaysMerged), len(gaps)
	if keep := MaxRanges - 1; len(gaps) > keep {
		slices.Sort(gaps)
		slices.Reverse(gaps)
		open = gaps[keep-1]
		ties = keep - slices.Index(gaps, open)
	}
	var out []Span
	for i, s := range spans {
		if i > 0 {
			gap := s.From - spans[i-1].To
			split := gap > open || gap == open && ties > 0
			if gap == open {
				ties--
			}
			if !split {
				out[len(out)-1].To = s.To
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

// bytesOf is how many bytes spans hold.
func bytesOf(spans []Span) (bytes int64) {
	for _, s := range spans {
		bytes += s.To - s.From
	}
	return bytes
}
