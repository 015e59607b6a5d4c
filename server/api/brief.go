package api

import (
	"context"

	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/rollout"
)

// briefsOf gives the rollouts of a release, the newest first.
func (a *API) briefsOf(ctx context.Context, ref vote.Ref) ([]contract.RolloutBrief, error) {
	out := []contract.RolloutBrief{}
	list, err := a.Rollouts.List(ctx, ref.Product)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Plan.Build != ref.Build {
			continue
		}
		one, err := a.brief(ctx, &list[i])
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// brief is a rollout as lists show it, with what it waits for.
func (a *API) brief(ctx context.Context, r *rollout.Rollout) (contract.RolloutBrief, error) {
	have, err := a.Ledger.Release(ctx, vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build})
	if err != nil {
		return contract.RolloutBrief{}, err
	}
	now, known, d, err := a.Rollouts.Look(ctx, r.ID)
	if err != nil {
		return contract.RolloutBrief{}, err
	}
	whole, outlook := rolloutOf(&now), outlookOf(d)
	out := contract.RolloutBrief{
		Id: whole.Id, Product: whole.Product, Build: whole.Build, Version: have.Version, Channel: string(now.Plan.Channel),
		State: whole.State, Stage: whole.Stage, Stages: whole.Stages, SharePPM: whole.SharePPM, StageSince: whole.StageSince,
		Kind: string(now.Plan.Kind), Reason: whole.Reason, Sentence: d.Sentence, HaltBound: whole.HaltBound, Changed: whole.Changed,
		Etag: now.Version,
	}
	if outlook.Outcome != nil {
		outcome := contract.RolloutBriefOutcome(*outlook.Outcome)
		out.Outcome = &outcome
	}
	if len(outlook.Waits) > 0 {
		out.Waits = &outlook.Waits
	}
	if next := now.NextStage(); next < len(now.Plan.Stages) && now.State != policy.Complete {
		n := now.Missing(next, known.ApprovalShare)
		out.MissingApprovals = &n
	}
	return out, nil
}
