package verdict

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// The band is looked at after every single outcome, and must hold the true rate
// at all of these moments together in 95 of 100 fleets.
func TestBandHoldsTheTrueRateHoweverOftenItIsLookedAt(t *testing.T) {
	const fleets, outcomes = 100, 250
	random := rand.New(rand.NewPCG(1, 2))
	for _, truth := range []manifests.SharePPM{500, 5_000, 20_000, 100_000, 500_000, 900_000} {
		left := 0
		for range fleets {
			k := int64(0)
			for n := int64(1); n <= outcomes; n++ {
				if random.Float64() < rate(truth) {
					k++
				}
				if low, high := Band(k, n); truth < low || truth > high {
					left++
					break
				}
			}
		}
		// Three deviations above 5 in 100; the exact chance is looked at below.
		if left > 11 {
			t.Errorf("a rate of %s was outside of its band at some moment in %d of %d fleets", truth, left, fleets)
		}
	}
}

// Ville's inequality for the lower side, by the exact law: the chance that a
// rate is ever found too low, though it is the true one.
func TestLowerSideIsWrongOnceInFortyAtMost(t *testing.T) {
	for _, truth := range append(slices.Clone(limits), 500_000, 900_000) {
		q, gone := rate(truth), 0.0
		chance := []float64{1}
		for n := int64(1); n <= 3000; n++ {
			chance = append(chance, 0)
			for i := len(chance) - 1; i > 0; i-- {
				chance[i] = chance[i]*(1-q) + chance[i-1]*q
			}
			chance[0] *= 1 - q
			for k := int64(len(chance)) - 1; k >= 0 && riseOdds(k, n, q) >= 3.6888794541139363; k-- { // ln 40
				gone += chance[k]
				chance = chance[:k]
			}
		}
		if gone > 1.0/40 {
			t.Errorf("a build that fails %s is said to fail more often with a chance of %.4f; 1/40 is promised", truth, gone)
		}
	}
}

func TestBandLiesAroundWhatWasSeenAndNeverFallsWithFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, n := drawCounts(t)
		low, high := Band(k, n)
		if low > 0 && above(k, n, uint32(low)) || high < manifests.WholeFleet && !above(k, n, uint32(high)) {
			t.Errorf("%d in %d lie outside of %s to %s", k, n, low, high)
		}
		if high < UpperBound(k, n) {
			t.Errorf("%d in %d: both sides together are surer than one", k, n)
		}
		if worse, _ := Band(k+1, n+1); worse < low {
			t.Errorf("one more failure than %d in %d lowers the lower side from %d to %d", k, n, low, worse)
		}
		if better, _ := Band(k, n+1); better > low {
			t.Errorf("one more success than %d in %d raises the lower side from %d to %d", k, n, low, better)
		}
	})
	if low, high := Band(0, 0); low != 0 || high != manifests.WholeFleet {
		t.Errorf("nothing was seen, and the rate lies between %s and %s", low, high)
	}
	if low, high := Band(300, 1000); low < 200_000 || high > 420_000 {
		t.Errorf("300 in 1000 lie between %s and %s", low, high)
	}
}

func TestLinesAreWhatIsJudged(t *testing.T) {
	for _, r := range []Rules{
		defaults,
		{MinToHalt: 40, Pass: 5_000},
		{MinToHalt: 5, Pass: 400_000, Guard: rollout.Guard{Failures: 300_000}},
		{MinToHalt: 5, Pass: 1, Guard: rollout.Guard{Failures: 1}},
	} {
		for n := range int64(400) {
			line := r.Line(n)
			for k := range n + 1 {
				is := failures(r, Evidence{Counts: trials(k, n, nil)})[0].Outcome
				if is == Halt != (k >= line.HaltsAt) || is == Pass != (k <= line.PassesAt) {
					t.Fatalf("%d of %d is judged %s; the line is %+v", k, n, is, line)
				}
			}
		}
	}
}
