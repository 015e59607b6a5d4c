package verdict

import (
	"math"

	"github.com/candor-ota/candor/manifests"
)

// Power is what the tests do with a build whose true failure rate is known:
// the chance, after each number of votes, that it was halted before or then.
type Power struct {
	Rate, Limit manifests.SharePPM
	halted      []float64 // by votes
}

// maxPowerVotes bounds the work of NewPower.
const maxPowerVotes = 20_000

// NewPower computes the exact chances for up to so many votes (20,000 at
// most), one vote after another. minimum is the fewest votes on which a halt
// may rest.
func NewPower(failing, limit manifests.SharePPM, minimum uint32, votes int64) Power {
	votes = min(max(votes, 0), maxPowerVotes)
	p := Power{Rate: failing, Limit: limit, halted: make([]float64, votes+1)}
	q, l := rate(failing), rate(limit)
	alive := []float64{1} // chance of k failures without a halt so far
	for n := int64(1); n <= votes; n++ {
		alive = append(alive, 0)
		for k := len(alive) - 1; k > 0; k-- {
			alive[k] = alive[k]*(1-q) + alive[k-1]*q
		}
		alive[0] *= 1 - q
		p.halted[n] = p.halted[n-1]
		if n < int64(minimum) {
			continue
		}
		if boundary := neededFailures(n, l); boundary < int64(len(alive)) {
			for _, gone := range alive[boundary:] {
				p.halted[n] += gone
			}
			alive = alive[:boundary]
		}
	}
	return p
}

// By is the chance that the build was halted after so many votes.
func (p Power) By(votes int64) float64 {
	return p.halted[min(max(votes, 0), int64(len(p.halted)-1))]
}

// Votes is after how many votes the chance reaches a part of 1; false if it
// does not within the votes that were computed.
func (p Power) Votes(chance float64) (int64, bool) {
	for n, c := range p.halted {
		if c >= chance {
			return int64(n), true
		}
	}
	return 0, false
}

// Expected is how many votes are counted until the halt on average, at most
// limit of them.
func (p Power) Expected(limit int64) float64 {
	sum := 0.0
	for n := range min(limit, int64(len(p.halted))) {
		sum += 1 - p.halted[n]
	}
	return sum
}

// VotesToPass is how many votes a build needs, in which noise of so many parts
// per million fails, until a limit is ruled out; false if that never comes.
func VotesToPass(limit, noise manifests.SharePPM) (int64, bool) {
	const most = int64(1) << 40
	enough := func(n int64) bool {
		return passes(int64(math.Round(float64(n)*rate(noise))), n, rate(limit))
	}
	high := int64(1)
	for !enough(high) {
		if high *= 2; high > most {
			return 0, false
		}
	}
	low := high / 2
	for high-low > 1 {
		if middle := low + (high-low)/2; enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, true
}
