package agent

import (
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// TestVotesMoveOnTheEngineersWordWhateverTheRolloutSays: after a restore the
// rollout is held, and votes on it are under way all the same.
func TestVotesMoveOnTheEngineersWordWhateverTheRolloutSays(t *testing.T) {
	for name, c := range map[string]struct {
		on   bool
		list []manifests.Build
		want int
	}{
		"signed":        {true, []manifests.Build{42, 99}, 1}, // the document of 99 is none of ours
		"not signed":    {true, nil, 0},
		"reporting off": {false, []manifests.Build{42}, 0},
	} {
		w := newWorld(t)
		m, r := w.offer(42)
		primary, spare, err := vote.Master{1}.Rules(vote.Ref{Product: phone, Build: 42})
		if err != nil {
			t.Fatal(err)
		}
		m.Votes.Primary, m.Votes.Spare = &primary, &spare
		r.State = rollout.Held
		w.reports.on, w.tree.view.SpareVotes = c.on, c.list
		w.step()
		if got := w.reports.spare; len(got) != c.want || c.want > 0 && got[0] != (vote.Ref{Product: phone, Build: 42}) {
			t.Errorf("%s: moved are %v", name, got)
		}
	}
}
