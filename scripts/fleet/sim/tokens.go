package sim

import (
	"math"
	"sort"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
)

// minToHalt is the fewest votes on which a halt rests.
const minToHalt = 5

// Stops is the greatest number of votes among which so many failures halt a
// build; false if they halt none.
func Stops(failures int64, limit manifests.SharePPM) (int64, bool) {
	rules := verdict.Rules{Guard: policy.Guard{Failures: limit}, MinToHalt: minToHalt, Pass: limit}
	halts := func(n int64) bool {
		c := verdict.Counts{Attempts: n, Trials: n, RolledBack: failures, Healthy: n - failures}
		return verdict.Judge(rules, verdict.Evidence{Counts: c}).Outcome == verdict.Halt
	}
	least := max(failures, minToHalt)
	if !halts(least) {
		return 0, false
	}
	const most = 1_000_000
	return least + int64(sort.Search(most, func(i int) bool { return !halts(least + int64(i)) })) - 1, true
}

// Stopped is the chance that a build is halted within so many votes when some
// fail by themselves and a part of all votes is cast by somebody who wants it
// stopped.
func Stopped(noise, dishonest float64, limit manifests.SharePPM, votes int64) float64 {
	return verdict.NewPower(ppm(dishonest+(1-dishonest)*noise), limit, minToHalt, votes).By(votes)
}

// Hides is how many dishonest healthy votes, evenly among so many honest ones,
// bring the chance that a failing build is halted by all of them below a part
// of 1. None are needed if it is that low by itself.
func Hides(failing float64, limit manifests.SharePPM, honest int64, chance float64) int64 {
	most := int64(failing / (float64(limit) / float64(manifests.WholeFleet)) * 4 * float64(honest))
	return int64(sort.Search(int(most), func(d int) bool {
		all := honest + int64(d)
		return verdict.NewPower(ppm(failing*float64(honest)/float64(all)), limit, minToHalt, all).By(all) < chance
	}))
}

func ppm(part float64) manifests.SharePPM {
	return manifests.SharePPM(math.Round(part * float64(manifests.WholeFleet)))
}
