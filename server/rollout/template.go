package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Template gives the plan of a rollout made out for another build: the same
// stages, audience and limits, without what belonged to that day.
func (r *Rollout) Template(build manifests.Build) policy.Plan {
	p := r.Plan
	p.Build, p.Start, p.Deadline, p.Rescues = build, nil, nil, ""
	return p
}

// Rescue gives a plan for the handsets that run the build of a halted rollout:
// it reaches them alone, as strongly as the release allows, and is watched
// like any other. Nothing is soaked longer than an hour: they are in trouble.
func (e *Engine) Rescue(ctx context.Context, id manifests.Name, build manifests.Build) (policy.Plan, error) {
	r, err := e.Get(ctx, id)
	if err != nil {
		return policy.Plan{}, err
	}
	if r.State != policy.Halted {
		return policy.Plan{}, refuse(api.CodeConflict, "the rollout is %s; a rescue is for the handsets of a halted one", r.State)
	}
	if build <= r.Plan.Build {
		return policy.Plan{}, refuse(api.CodeBadRequest, "build %d is not above %d, and no handset goes down; sign the fix (or the older image) under a higher number", build, r.Plan.Build)
	}
	release, _, err := e.Live(ctx, vote.Ref{Product: r.Plan.Product, Build: build})
	if errors.Is(err, store.ErrNotFound) {
		return policy.Plan{}, unsigned(r.Plan.Product, build)
	}
	if err != nil {
		return policy.Plan{}, fmt.Errorf("rescue by build %d: %w", build, err)
	}
	p := r.Template(build)
	p.Rescues, p.Advance = id, policy.Auto
	p.Audience.FromBuilds = &policy.BuildRange{Min: r.Plan.Build, Max: r.Plan.Build}
	p.Audience.Lab = nil
	p.Kind, p.Deferral, p.Window = release.Urgency.MaxKind, release.Urgency.MinDeferral, nil
	p.Deadline = release.Urgency.EarliestDeadline
	p.Budget = nil
	p.Stages = nil
	for _, s := range r.Plan.Stages {
		s.Soak.Duration = min(s.Soak.Duration, rescueSoak)
		s.MinVotes = 0
		p.Stages = append(p.Stages, s)
	}
	return p, nil
}
