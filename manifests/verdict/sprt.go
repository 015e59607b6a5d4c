package verdict

import (
	"math"

	"github.com/candor-ota/candor/manifests"
)

// How sure the tests are.
const (
	falseHalt = 1.0 / 200 // of a build at half the limit
	falsePass = 1.0 / 20  // of a build at the limit
)

// Confidence is how sure a pass and a bound are, in percent.
const Confidence = 95

// rate is a part of 1.
func rate(p manifests.SharePPM) float64 { return float64(p) / float64(manifests.WholeFleet) }

// ratio is the natural logarithm of how much likelier k failures among n are
// at a rate of p1 than at p0. Both lie strictly between 0 and 1.
func ratio(k, n int64, p1, p0 float64) float64 {
	return float64(k)*math.Log(p1/p0) + float64(n-k)*math.Log((1-p1)/(1-p0))
}

// haltOdds is the evidence, as a logarithm, that the rate is above the limit.
func haltOdds(k, n int64, limit float64) float64 { return ratio(k, n, 2*limit, limit/2) }

// halts tells whether the evidence against the limit is enough.
func halts(k, n int64, limit float64) bool {
	return limit < 0.5 && haltOdds(k, n, limit) >= -math.Log(falseHalt)
}

// passOdds is the evidence, as a logarithm, that the rate is below the limit.
func passOdds(k, n int64, limit float64) float64 {
	var parts [3]float64
	for i, divisor := range []float64{8, 4, 2} {
		parts[i] = ratio(k, n, limit/divisor, limit)
	}
	return mixed(parts)
}

// passes tells whether rates from the limit up are ruled out.
func passes(k, n int64, limit float64) bool { return ruledOut(k, n, limit, falsePass) }

// ruledOut is passes with another chance of being wrong.
func ruledOut(k, n int64, limit, wrong float64) bool {
	return limit > 0 && limit < 1 && passOdds(k, n, limit) >= -math.Log(wrong)
}

// UpperBound is the lowest rate, in parts per million, that k failures among n
// rule out; WholeFleet if they rule out none. It may be asked for at any
// moment: the confidence holds for all of them together.
func UpperBound(k, n int64) manifests.SharePPM { return upperBound(k, n, falsePass) }

func upperBound(k, n int64, wrong float64) manifests.SharePPM {
	low, high := uint32(0), uint32(manifests.WholeFleet) // low is not ruled out
	for high-low > 1 {
		middle := low + (high-low)/2
		if above(k, n, middle) && ruledOut(k, n, rate(manifests.SharePPM(middle)), wrong) {
			high = middle
		} else {
			low = middle
		}
	}
	return manifests.SharePPM(high)
}

// above tells whether a rate lies above what was seen; only there does more
// rate mean more evidence against it.
func above(k, n int64, ppm uint32) bool {
	return n > 0 && float64(ppm)*float64(n) > float64(k)*float64(manifests.WholeFleet)
}

// neededFailures is the fewest failures among n that halt, n+1 if none do.
func neededFailures(n int64, limit float64) int64 {
	low, high := int64(-1), n+1 // low does not halt
	for high-low > 1 {
		if middle := low + (high-low)/2; halts(middle, n, limit) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
