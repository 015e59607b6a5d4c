package verdict

import (
	"math"

	"github.com/candor-ota/candor/manifests"
)

// falseBand is how often each side of a band may be wrong, so that both
// together hold with Confidence.
const falseBand = (1 - Confidence/100.0) / 2

// Band gives the rates, in parts per million, between which the true one lies
// after k failures among n: from the highest that is surely too low to the
// lowest that is surely too high; 0 and WholeFleet where nothing is sure. It
// may be asked for at any moment and as often as one likes: Confidence holds
// for both sides and for all moments together (as for UpperBound, by Ville's
// inequality). Its upper side lies a little above UpperBound, which speaks of
// that side alone.
func Band(k, n int64) (low, high manifests.SharePPM) {
	return lowerBound(k, n), upperBound(k, n, falseBand)
}

// riseOdds is the evidence, as a logarithm, that the rate is above the limit:
// passOdds the other way round. The rates that it speaks for are twice, four
// and eight times the limit, none nearer to 1 than the middle between.
func riseOdds(k, n int64, limit float64) float64 {
	var parts [3]float64
	for i, factor := range []float64{2, 4, 8} {
		parts[i] = ratio(k, n, min(factor*limit, (1+limit)/2), limit)
	}
	return mixed(parts)
}

// mixed is the logarithm of the mean of odds that are logarithms.
func mixed(parts [3]float64) float64 {
	sum, most := 0.0, math.Inf(-1)
	for _, p := range parts {
		most = math.Max(most, p)
	}
	for _, p := range parts {
		sum += math.Exp(p - most)
	}
	return most + math.Log(sum/float64(len(parts)))
}

// lowerBound is the highest rate that k failures among n rule out from below.
// More rate is less evidence against it, at every rate below what was seen.
func lowerBound(k, n int64) manifests.SharePPM {
	low, high := uint32(0), uint32(manifests.WholeFleet) // high is not ruled out
	for high-low > 1 {
		middle := low + (high-low)/2
		below := float64(middle)*float64(n) < float64(k)*float64(manifests.WholeFleet)
		if below && riseOdds(k, n, rate(manifests.SharePPM(middle))) >= -math.Log(falseBand) {
			low = middle
		} else {
			high = middle
		}
	}
	return manifests.SharePPM(low)
}
