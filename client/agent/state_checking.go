package agent

import (
	"context"

	"github.com/candor-ota/candor/manifests/vote"
)

// idle waits for the next poll.
func (a *Agent) idle(context.Context) (State, error) { return Checking, nil }

// checking polls and decides. Tokens are asked for every live rollout of the
// product, in its share or not, so that asking says nothing about installing.
func (a *Agent) checking(ctx context.Context) (State, error) {
	if err := a.poll(ctx); err != nil {
		return Checking, err
	}
	d, err := a.decide()
	if err != nil {
		return Checking, err
	}
	if a.bundle != nil { // a bundle prepares no reports
	} else if err := a.prepareTokens(ctx); err != nil {
		a.Log.Warn("no tokens for reports", "reason", err)
	}
	if d.Hold != nil {
		*d.Hold = a.priced(*d.Hold)
		a.hold(d.Hold)
		return Idle, nil
	}
	a.offer = d.Offer
	return Offered, nil
}

func (a *Agent) prepareTokens(ctx context.Context) error {
	if !a.Reports.Enabled() || a.view.Document == nil {
		return nil
	}
	for _, r := range a.view.Document.Rollouts {
		signed, ok := a.view.Releases[r.Build]
		if !ok || !r.State.Installable() {
			continue
		}
		ref := vote.Ref{Product: a.Config.Product, Build: r.Build}
		if err := a.Reports.Prepare(ctx, ref, signed.Release.Votes, a.Config.Report.TokenWithin.Duration); err != nil {
			return err
		}
	}
	// Also where nothing may be installed: what is held has votes under way.
	for _, build := range a.view.SpareVotes {
		signed, ok := a.view.Releases[build]
		if !ok {
			continue
		}
		ref := vote.Ref{Product: a.Config.Product, Build: build}
		if err := a.Reports.UseSpare(ref, signed.Release.Votes, a.Config.Report.TokenWithin.Duration); err != nil {
			return err
		}
	}
	return nil
}
