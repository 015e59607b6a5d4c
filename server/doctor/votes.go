package doctor

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/votes"
)

type voteReleases interface {
	VoteReleases(ctx context.Context) ([]store.VoteRelease, error)
}

// votes looks for releases on which nobody votes until engineers sign that.
func (v *visit) votes(ctx context.Context, ledger voteReleases) {
	if v.tree == nil || len(v.tree.Bad) > 0 {
		return // what is signed is not known
	}
	all, err := ledger.VoteReleases(ctx)
	if err != nil {
		v.say("votes", Fail, err.Error(), "mend what the error names, or restore a backup")
		return
	}
	waiting := votes.Unsigned(all, func(ref vote.Ref) bool { return v.tree.Spare[ref] })
	for _, ref := range waiting {
		v.say("votes", Warn, fmt.Sprintf("%s counts under its spare keys since a restore, which its engineers have not signed: no handset votes on it", ref),
			fmt.Sprintf("have them sign and submit `candor-signer votes spare %s %d`, or withdraw the build", ref.Product, ref.Build))
	}
	if len(waiting) == 0 {
		v.say("votes", OK, "every release counts under the keys that its engineers say", "")
	}
}
