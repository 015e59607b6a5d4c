package api

import (
	"context"
	"errors"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// maxBriefs bounds the rollouts of one release that are told with it.
const maxBriefs = 100

// briefsOf gives the rollouts of a release, the newest first.
func (a *API) briefsOf(ctx context.Context, ref vote.Ref) ([]contract.RolloutBrief, error) {
	list, err := a.Rollouts.Page(ctx, store.RolloutQuery{Products: []manifests.Product{ref.Product}, Build: ref.Build, Limit: maxBriefs})
	out := []contract.RolloutBrief{}
	for i := range list {
		one, err := a.brief(ctx, &list[i])
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, err
}

// brief is a rollout on a list that people look at, judged by the votes that
// may be shown.
func (a *API) brief(ctx context.Context, r *rollout.Rollout) (contract.RolloutBrief, error) {
	l := looked{Rollout: r}
	var err error
	if l.known, l.d, err = a.Rollouts.See(ctx, r); err != nil {
		return contract.RolloutBrief{}, err
	}
	return a.briefOf(ctx, &l)
}

// briefOf is brief for a rollout that was looked at just now.
func (a *API) briefOf(ctx context.Context, l *looked) (contract.RolloutBrief, error) {
	r, known, d := l.Rollout, l.known, l.d
	out, err := a.plainBrief(ctx, r, known.Release)
	out.Sentence = d.Sentence
	look := outlookOf(d)
	if len(look.Waits) > 0 {
		out.Waits = &look.Waits
	}
	if look.Outcome != nil {
		outcome := contract.RolloutBriefOutcome(*look.Outcome)
		out.Outcome = &outcome
	}
	if next := r.NextStage(); next < len(r.Plan.Stages) && (r.Live() || r.Unstarted()) {
		n := r.Missing(next, known.ApprovalShare)
		out.MissingApprovals = &n
	}
	if !r.StageSince.IsZero() {
		counts := r.Judged(known).Counts
		rate := rateOf(counts.RolledBack, counts.Trials, r.Plan.Guard.FailureLimit())
		out.Rate = &rate
	}
	return out, err
}

// plainBrief is brief without a look at the votes.
func (a *API) plainBrief(ctx context.Context, r *rollout.Rollout, m *manifests.Release) (contract.RolloutBrief, error) {
	out := contract.RolloutBrief{
		Id: string(r.ID), Product: string(r.Plan.Product), Build: int64(r.Plan.Build), Channel: string(r.Plan.Channel),
		State: contract.RolloutState(r.State), Stage: r.Stage, Stages: stagesOf(r.Plan.Stages), SharePPM: int(r.Share()),
		Kind: string(r.Plan.Kind), Sentence: "the rollout is " + string(r.State), Changed: r.Changed, Etag: r.Version,
	}
	if !r.StageSince.IsZero() {
		out.StageSince = &r.StageSince.Time
	}
	if r.Reason != "" {
		out.Reason = &r.Reason
	}
	if r.State == policy.Halted && !r.HaltedAt.IsZero() {
		out.HaltBound = haltBoundOf(r)
	}
	var err error
	out.Version, err = a.versionOf(ctx, refOf(r), m)
	return out, err
}

// versionOf names a release for people; m may be nil.
func (a *API) versionOf(ctx context.Context, ref vote.Ref, m *manifests.Release) (string, error) {
	if m != nil {
		return m.Version, nil
	}
	have, err := a.Ledger.Release(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return have.Version, err
}

func refOf(r *rollout.Rollout) vote.Ref {
	return vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build}
}

// rateOf is so many failed of so many, with the band around the rate; without
// any there is neither rate nor band.
func rateOf(failed, of int64, limit manifests.SharePPM) contract.Rate {
	out := contract.Rate{Failed: failed, Of: of, LimitPPM: int(limit)}
	if of > 0 {
		ppm := int(float64(failed)/float64(of)*float64(manifests.WholeFleet) + 0.5)
		out.RatePPM = &ppm
		out.LowPPM, out.HighPPM = bandOf(failed, of)
	}
	return out
}

func bandOf(failed, of int64) (low, high *int) {
	l, h := verdict.Band(failed, of)
	a, b := int(l), int(h)
	return &a, &b
}
