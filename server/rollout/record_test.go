package rollout

import (
	"testing"

	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
)

// What is left of a part after a resumption may be small although the part is
// not: people are not shown it, and the engine judges it.
func TestWhatIsLeftOfAPartIsMaskedToo(t *testing.T) {
	parts := func(n int64) verdict.Counts {
		return verdict.Counts{Trials: 1000, RolledBack: n, Reasons: map[vote.Reason]int64{vote.BootLoop: n}}
	}
	before := parts(7)
	acquitted := parts(22)
	r := Rollout{State: "active", Acquitted: &acquitted}
	r.Plan.Stages = []policy.Stage{{Share: 10_000}}
	exact := Evidence{Votes: verdict.Evidence{Counts: parts(25), Before: &before}}
	if got := r.Judged(exact); got.Counts.Reasons[vote.BootLoop] != 3 || got.Before.Reasons[vote.BootLoop] != 7 {
		t.Errorf("the engine judges %+v", got)
	}
	seen := exact
	seen.mask = func(c verdict.Counts) verdict.Counts {
		if c.Reasons[vote.BootLoop] < 20 {
			c.Reasons = nil
		}
		return c
	}
	got := r.Judged(seen)
	if got.Counts.Reasons != nil || got.Before.Reasons != nil || got.Counts.RolledBack != 3 {
		t.Errorf("people are shown %+v", got)
	}
	if before.Reasons == nil {
		t.Error("masking took from what is exact")
	}
}
