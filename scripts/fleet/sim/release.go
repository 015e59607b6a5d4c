package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
)

// newRelease is what the engineers signed. Its pace is open: the plan alone
// says how fast.
func newRelease(b manifests.Build, begin time.Time) policy.Signed {
	return policy.Signed{
		Reference: policy.Reference{Path: layout.ReleasePath(Product, b), Length: 1},
		Release: &manifests.Release{
			Product: Product, Build: b, Version: b.String(), Risk: manifests.RiskFix,
			Compatible: manifests.Compatible{Models: []manifests.Name{model}},
			NotBefore:  manifests.At(begin), OfferUntil: manifests.At(begin.AddDate(1, 0, 0)),
			Pace:    []manifests.PaceStep{{MaxShare: manifests.WholeFleet}},
			Urgency: manifests.Urgency{MaxKind: manifests.KindCritical},
		},
	}
}

// weight is how often a reason is given.
type weight struct {
	reason vote.Reason
	part   float64
}

// Why trials fail: with a perfect build, and with one that is at fault.
var (
	misfortune = []weight{{vote.HealthCheck, 0.6}, {vote.Power, 0.2}, {vote.Other, 0.2}}
	fault      = []weight{{vote.BootLoop, 0.5}, {vote.HealthCheck, 0.4}, {vote.Verify, 0.1}}
)

// reason draws why a trial failed.
func (t *Truth) reason(r *rand.Rand) vote.Reason {
	of := fault
	if r.Float64()*t.failing() < t.Noise {
		of = misfortune
	}
	return draw(of, r)
}

func draw(of []weight, r *rand.Rand) vote.Reason {
	luck := r.Float64()
	for _, w := range of[:len(of)-1] {
		if luck -= w.part; luck < 0 {
			return w.reason
		}
	}
	return of[len(of)-1].reason
}

// before draws the counts of the release before, a good one that went all the
// way: so many attempts, of which few went silent and few failed.
func (t *Truth) before(attempts int64, r *rand.Rand) verdict.Counts {
	c := verdict.Counts{Attempts: attempts, Due: attempts, Issued: attempts, Reasons: map[vote.Reason]int64{}}
	c.Silent = some(attempts, t.Lost, r)
	c.Trials = attempts - c.Silent
	for _, w := range misfortune {
		n := some(c.Trials, t.Noise*w.part, r)
		c.Reasons[w.reason] = n
		c.RolledBack += n
	}
	c.Healthy = c.Trials - c.RolledBack
	return c
}

// some is how many of n it hits at a rate: by Poisson's law where they are few,
// by the normal one where they are many.
func some(n int64, rate float64, r *rand.Rand) int64 {
	mean, k := float64(n)*rate, int64(0)
	if mean < 100 {
		for sum := r.ExpFloat64(); sum < mean; sum += r.ExpFloat64() {
			k++
		}
	} else {
		k = int64(math.Round(mean + math.Sqrt(mean*(1-rate))*r.NormFloat64()))
	}
	return min(max(k, 0), n)
}
