package verdict

import (
	"math"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"pgregory.net/rapid"
)

// limits are those for which the errors are computed: 0.1 % to 20 %.
var limits = []manifests.SharePPM{1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000}

// Ville's inequality, by the exact law instead of by faith in it.
func TestGoodBuildIsHaltedOnceInTwoHundredAtMost(t *testing.T) {
	for _, limit := range limits {
		for _, failing := range []manifests.SharePPM{limit / 4, limit / 2} {
			if p := NewPower(failing, limit, 5, 10_000).By(10_000); p > 1.0/200 {
				t.Errorf("limit %s: a build that fails %s is halted with a chance of %.4f; 1/200 is promised", limit, failing, p)
			}
		}
	}
}

func TestBadBuildIsHaltedSoon(t *testing.T) {
	for _, c := range []struct {
		failing manifests.SharePPM
		median  int64
	}{{100_000, 60}, {500_000, 8}} {
		n, ok := NewPower(c.failing, 20_000, 5, 1_000).Votes(0.5)
		if !ok || n > c.median {
			t.Errorf("a build that fails %s is halted after a median of %d votes (%v); %d are promised", c.failing, n, ok, c.median)
		}
	}
}

// passedEver is the chance that a build ever passes within so many votes, by
// the exact law: chance[k] is that of k failures among n without a pass so far.
func passedEver(failing, limit manifests.SharePPM, votes int64) float64 {
	q, passed := rate(failing), 0.0
	chance, low := []float64{1}, int64(0) // chance[0] is of low failures
	for n := int64(1); n <= votes; n++ {
		chance = append(chance, 0)
		for i := len(chance) - 1; i > 0; i-- {
			chance[i] = chance[i]*(1-q) + chance[i-1]*q
		}
		chance[0] *= 1 - q
		for len(chance) > 0 && above(low, n, uint32(limit)) && passes(low, n, rate(limit)) {
			passed += chance[0]
			chance, low = chance[1:], low+1
		}
		for len(chance) > 0 && chance[len(chance)-1] < 1e-20 { // what is left out is nothing
			chance = chance[:len(chance)-1]
		}
	}
	return passed
}

func TestBuildAtItsLimitPassesOnceInTwentyAtMost(t *testing.T) {
	for _, limit := range limits {
		for _, failing := range []manifests.SharePPM{limit, limit + limit/2} {
			if p := passedEver(failing, limit, 10_000); p > 1.0/20 {
				t.Errorf("limit %s: a build that fails %s passes with a chance of %.4f; 1/20 is promised", limit, failing, p)
			}
		}
	}
}

// The law of passing must itself be able to say yes.
func TestGoodBuildPasses(t *testing.T) {
	for _, limit := range limits[2:] {
		if p := passedEver(limit/4, limit, 10_000); p < 0.99 {
			t.Errorf("limit %s: a build that fails %s passes with a chance of %.4f only", limit, limit/4, p)
		}
	}
}

func drawCounts(t *rapid.T) (k, n int64) {
	n = rapid.Int64Range(0, 1_000_000).Draw(t, "votes")
	if rapid.Bool().Draw(t, "few") {
		return rapid.Int64Range(0, min(n, 20)).Draw(t, "failures"), n
	}
	return rapid.Int64Range(0, n).Draw(t, "failures"), n
}

func TestUpperBoundNeverFallsWithFailuresNorRisesWithSuccesses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, n := drawCounts(t)
		more := rapid.Int64Range(1, 1000).Draw(t, "more")
		is := UpperBound(k, n)
		if b := UpperBound(k+more, n+more); b < is {
			t.Errorf("%d more failures lower the bound of %d in %d from %d to %d", more, k, n, is, b)
		}
		if b := UpperBound(min(k+more, n), n); b < is {
			t.Errorf("%d failures instead of successes lower the bound of %d in %d from %d to %d", more, k, n, is, b)
		}
		if b := UpperBound(k, n+more); b > is {
			t.Errorf("%d more successes raise the bound of %d in %d from %d to %d", more, k, n, is, b)
		}
	})
}

// A bound below what was seen would be a lie, and none at all is WholeFleet.
func TestUpperBoundLiesAboveWhatWasSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, n := drawCounts(t)
		b := UpperBound(k, n)
		if b > manifests.WholeFleet || n > 0 && b < manifests.WholeFleet && !above(k, n, uint32(b)) {
			t.Errorf("%d in %d are surely below %d", k, n, b)
		}
		if b < manifests.WholeFleet && !passes(k, n, rate(b)) {
			t.Errorf("%d in %d: %d is not ruled out", k, n, b)
		}
	})
	if b := UpperBound(0, 0); b != manifests.WholeFleet {
		t.Errorf("no votes rule out rates from %d on", b)
	}
}

func TestMoreFailuresNeverUndoAHalt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, n := drawCounts(t)
		limit := rate(manifests.SharePPM(rapid.Uint32Range(1, 499_999).Draw(t, "limit")))
		if halts(k, n, limit) && (!halts(k+1, n+1, limit) || k < n && !halts(k+1, n, limit)) {
			t.Errorf("limit %g: %d in %d halt, one more does not", limit, k, n)
		}
		if needed := neededFailures(n, limit); needed <= n && !halts(needed, n, limit) || needed > 0 && halts(needed-1, n, limit) {
			t.Errorf("limit %g: %d failures of %d are not the fewest that halt", limit, needed, n)
		}
	})
}

func TestHaltNeedsFourFailures(t *testing.T) {
	for _, limit := range limits {
		for n := range int64(1000) {
			if halts(3, max(n, 3), rate(limit)) {
				t.Fatalf("limit %s: 3 failures in %d halt", limit, n)
			}
		}
	}
}

func TestPowerGrowsWithVotesAndWithTheRate(t *testing.T) {
	before := NewPower(0, 20_000, 5, 2_000)
	for _, failing := range []manifests.SharePPM{5_000, 10_000, 30_000, 100_000} {
		p := NewPower(failing, 20_000, 5, 2_000)
		for n := range int64(2_000) {
			if p.By(n) < before.By(n)-1e-12 || p.By(n+1) < p.By(n) || p.By(n) > 1+1e-9 {
				t.Fatalf("fails %s: the chance by %d votes is %g, by one more %g; a better build has %g", failing, n, p.By(n), p.By(n+1), before.By(n))
			}
		}
		if expected := p.Expected(2_000); expected > before.Expected(2_000) {
			t.Errorf("fails %s: takes %g votes, a better build takes fewer", failing, expected)
		}
		before = p
	}
	if p := NewPower(20_000, 20_000, 5, -1); p.By(100) != 0 {
		t.Error("a halt without votes")
	}
}

func TestVotesToPassAreEnough(t *testing.T) {
	for _, limit := range limits {
		for _, noise := range []manifests.SharePPM{0, limit / 8, limit / 4, limit / 2} {
			n, ok := VotesToPass(limit, noise)
			k := int64(math.Round(float64(n) * rate(noise)))
			if !ok || !passes(k, n, rate(limit)) {
				t.Errorf("limit %s: %d votes with %d failures do not pass", limit, n, k)
			}
		}
		if n, ok := VotesToPass(limit, limit); ok {
			t.Errorf("limit %s: a build that fails as much passes after %d votes", limit, n)
		}
	}
}
