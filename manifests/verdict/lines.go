package verdict

import "github.com/candor-ota/candor/manifests"

// Line is where the sequential test of failures stands after so many outcomes:
// the fewest failures that halt, and the most that pass.
type Line struct {
	Of       int64
	HaltsAt  int64 // more than Of: no number of failures halts yet
	PassesAt int64 // below 0: no number of failures passes yet
}

// Line gives the line of the rule about failures after n outcomes. Judge halts
// by that rule if and only if HaltsAt failures or more are among them, and
// passes it if and only if there are PassesAt or fewer.
func (r Rules) Line(n int64) Line {
	l := Line{Of: n, HaltsAt: n + 1, PassesAt: -1}
	if n >= int64(r.MinToHalt) {
		l.HaltsAt = neededFailures(n, rate(r.Guard.FailureLimit()))
	}
	l.PassesAt = min(passedFailures(n, r.Pass), l.HaltsAt-1)
	return l
}

// passedFailures is the most failures among n that pass, -1 if none does.
func passedFailures(n int64, limit manifests.SharePPM) int64 {
	low, high := int64(-1), n+1 // high does not pass
	for high-low > 1 {
		if middle := low + (high-low)/2; above(middle, n, uint32(limit)) && passes(middle, n, rate(limit)) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
