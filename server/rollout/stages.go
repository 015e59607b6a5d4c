package rollout

import (
	"fmt"
	"math"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
)

// Wish is a budget that stages are to keep.
type Wish struct {
	Budget policy.Budget
	OptIn  manifests.SharePPM
	Soak   manifests.Duration
	// Failures is the worst accepted rate; 0 is the default.
	Failures manifests.SharePPM
}

// Stages chooses stages that keep a budget: the first is as large as the
// budget, for all of it may be harmed; each further one is as large as the
// failure rate allows that its forerunner can rule out. A budget that no
// stages can keep is refused, with the handsets that it would take.
func Stages(w Wish) ([]policy.Stage, error) {
	b, guard := w.Budget, policy.Guard{Failures: w.Failures}
	if b.MaxHarmed == 0 || b.Fleet == 0 || w.OptIn == 0 {
		return nil, refuse(api.CodeBadRequest, "give the fleet, the handsets that may be harmed, and a share of owners who report, all above 0")
	}
	share := shareOf(b, uint64(b.MaxHarmed))
	var out []policy.Stage
	for {
		s := policy.Stage{Share: share, Soak: w.Soak}
		if share == manifests.WholeFleet {
			return append(out, s), nil
		}
		if share == 0 {
			return nil, refuse(api.CodeConflict, "%d of %d handsets is less than one in a million; open it to lab handsets first", b.MaxHarmed, b.Fleet)
		}
		votes := int64(float64(b.Handsets(share)) * part(w.OptIn))
		provable := verdict.UpperBound(0, votes)
		next := min(manifests.WholeFleet, shareOf(b, uint64(float64(b.MaxHarmed)/part(provable))))
		if float64(next) < leastGrowth*float64(share) {
			return nil, refuse(api.CodeConflict,
				"%d handsets give about %d outcomes without a failure, which rule out no rate below %s; with at most %d harmed the next stage could be %d handsets. More owners must report, or more may be harmed",
				b.Handsets(share), votes, provable, b.MaxHarmed, b.Handsets(next))
		}
		// Early stages are too small to prove the accepted rate itself; what
		// the budget asks for is less there.
		s.Pass = b.PassFor(next)
		if limit := guard.FailureLimit(); s.Pass > limit && provable <= limit {
			s.Pass = limit
		}
		s.MinVotes = votesFor(s.Pass)
		out = append(out, s)
		share = next
	}
}

// leastGrowth is how much wider than its forerunner a stage must be to be
// worth its soak.
const leastGrowth = 1.5

// shareOf is the largest share that so many handsets are.
func shareOf(b policy.Budget, handsets uint64) manifests.SharePPM {
	if handsets >= b.Fleet {
		return manifests.WholeFleet
	}
	share := manifests.SharePPM(float64(handsets) / float64(b.Fleet) * float64(manifests.WholeFleet))
	for share > 0 && b.Handsets(share) > handsets {
		share--
	}
	return share
}

func votesFor(pass manifests.SharePPM) uint32 {
	n, ok := verdict.VotesToPass(pass, 0)
	if !ok || n > math.MaxUint32 {
		return math.MaxUint32
	}
	return uint32(n)
}

// StagesInWords says what stages that Stages chose keep.
func StagesInWords(w Wish, stages []policy.Stage) string {
	return fmt.Sprintf("%d stages keep a bad build from harming more than %d of %d handsets, if %s of the owners report; %s of soak at least",
		len(stages), w.Budget.MaxHarmed, w.Budget.Fleet, w.OptIn, manifests.Span(time.Duration(len(stages))*w.Soak.Duration))
}
