package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Filter narrows a list; what is empty admits all.
type Filter struct{ Product, Channel, State string }

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// List gives rollouts, the newest first.
func (c *Client) List(ctx context.Context, f Filter) (api.RolloutList, error) {
	params := &api.ListRolloutsParams{Product: given(f.Product), Channel: given(f.Channel), State: (*api.RolloutState)(given(f.State))}
	return ask[api.RolloutList](ctx, c, "list rollouts", func(ctx context.Context) (*http.Response, error) { return c.API.ListRollouts(ctx, params) })
}

// Get gives one rollout with its outlook.
func (c *Client) Get(ctx context.Context, id manifests.Name) (api.Rollout, error) {
	r, err := ask[api.Rollout](ctx, c, "rollout "+string(id), func(ctx context.Context) (*http.Response, error) { return c.API.GetRollout(ctx, string(id)) })
	return r, about(id, err)
}

// Look is Get in one attempt, for those who look again anyway.
func (c *Client) Look(ctx context.Context, id manifests.Name) (api.Rollout, error) {
	var out api.Rollout
	err := once(ctx, func(ctx context.Context) (*http.Response, error) { return c.API.GetRollout(ctx, string(id)) }, &out)
	if err != nil {
		return out, fmt.Errorf("rollout %s: %w", id, err)
	}
	return out, nil
}

// body is a plan in the contract's form.
func body(p *rollout.Plan) (api.Plan, error) {
	var out api.Plan
	data, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}

// ifMatch writes a version as the ETag that was looked at; 0 is whichever.
func ifMatch(version int64) *api.IfMatch {
	if version == 0 {
		return nil
	}
	tag := `"` + strconv.FormatInt(version, 10) + `"`
	return &tag
}

// Create records a draft.
func (c *Client) Create(ctx context.Context, plan *rollout.Plan) (api.Rollout, error) {
	in, err := body(plan)
	if err != nil {
		return api.Rollout{}, err
	}
	key := c.Key()
	return change[api.Rollout](ctx, c, "create rollout", func(ctx context.Context) (*http.Response, error) {
		return c.API.CreateRollout(ctx, &api.CreateRolloutParams{IdempotencyKey: &key}, in)
	})
}

// Edit writes another plan into a draft; version is the one that was looked
// at, 0 whichever.
func (c *Client) Edit(ctx context.Context, id manifests.Name, plan *rollout.Plan, version int64) (api.Rollout, error) {
	in, err := body(plan)
	if err != nil {
		return api.Rollout{}, err
	}
	key := c.Key()
	r, err := change[api.Rollout](ctx, c, "edit rollout "+string(id), func(ctx context.Context) (*http.Response, error) {
		return c.API.EditRollout(ctx, string(id), &api.EditRolloutParams{IfMatch: ifMatch(version), IdempotencyKey: &key}, in)
	})
	return r, about(id, err)
}

// Step is what somebody does to a rollout.
type Step struct {
	Action     string // of the contract, such as "halt"
	Reason     string
	UpTo       *int // of an approval: the last stage, counted from 0; nil: the last of the plan
	BreakGlass bool
	IfMatch    int64 // the version that was looked at; 0: whichever
}

// Take takes a step and gives the rollout as it is then.
func (c *Client) Take(ctx context.Context, id manifests.Name, s Step) (api.Rollout, error) {
	in := api.Change{Reason: given(s.Reason), UpTo: s.UpTo}
	if s.BreakGlass {
		in.BreakGlass = &s.BreakGlass
	}
	key := c.Key()
	r, err := change[api.Rollout](ctx, c, s.Action+" rollout "+string(id), func(ctx context.Context) (*http.Response, error) {
		return c.API.ChangeRollout(ctx, string(id), s.Action, &api.ChangeRolloutParams{IfMatch: ifMatch(s.IfMatch), IdempotencyKey: &key}, in)
	})
	return r, about(id, err)
}

// Question is what a preview is asked about.
type Question struct {
	Plan    *rollout.Plan
	Fleet   int64              // handsets that the audience holds
	OptIn   manifests.SharePPM // that report; 0: as was seen before
	Handset *api.SampleHandset // to ask what it would do; nil: none
}

// Preview says what a plan would do. Nothing is recorded.
func (c *Client) Preview(ctx context.Context, q Question) (api.Preview, error) {
	plan, err := body(q.Plan)
	if err != nil {
		return api.Preview{}, err
	}
	in := api.PreviewRequest{Plan: plan, Fleet: q.Fleet, OptInPPM: rate(q.OptIn), Handset: q.Handset}
	return ask[api.Preview](ctx, c, "preview", func(ctx context.Context) (*http.Response, error) { return c.API.PreviewRollout(ctx, in) })
}

func rate(s manifests.SharePPM) *int {
	if s == 0 {
		return nil
	}
	n := int(s)
	return &n
}

// Wish is what stages are planned for.
type Wish struct {
	Fleet     int64 // handsets
	MaxHarmed int   // handsets that a bad build may harm
	Soak      manifests.Duration
	Product   string             // whose opt-in rate is used if none is given; may be empty
	OptIn     manifests.SharePPM // 0: as was seen before
	Failures  manifests.SharePPM // the worst accepted rate; 0: the default
}

// Stages plans stages that keep a budget. Nothing is recorded.
func (c *Client) Stages(ctx context.Context, w Wish) (api.StageList, error) {
	in := api.StagesRequest{
		Fleet: w.Fleet, MaxHarmed: w.MaxHarmed, Soak: w.Soak.String(), Product: given(w.Product),
		OptInPPM: rate(w.OptIn), FailuresPPM: rate(w.Failures),
	}
	return ask[api.StageList](ctx, c, "plan stages", func(ctx context.Context) (*http.Response, error) { return c.API.PlanStages(ctx, in) })
}

// Timeline gives every change and decision, the oldest first.
func (c *Client) Timeline(ctx context.Context, id manifests.Name) (api.Timeline, error) {
	return ask[api.Timeline](ctx, c, "timeline of "+string(id), func(ctx context.Context) (*http.Response, error) { return c.API.GetTimeline(ctx, string(id)) })
}

// Template gives the plan of a rollout, made out for another build.
func (c *Client) Template(ctx context.Context, id manifests.Name, build manifests.Build) (*rollout.Plan, error) {
	return c.plan(ctx, "template of "+string(id), func(ctx context.Context) (*http.Response, error) {
		return c.API.GetTemplate(ctx, string(id), &api.GetTemplateParams{Build: int64(build)})
	})
}

// Rescue gives a plan for the handsets that run the build of a halted rollout.
func (c *Client) Rescue(ctx context.Context, id manifests.Name, build manifests.Build) (*rollout.Plan, error) {
	return c.plan(ctx, "rescue of "+string(id), func(ctx context.Context) (*http.Response, error) {
		return c.API.GetRescue(ctx, string(id), &api.GetRescueParams{Build: int64(build)})
	})
}

func (c *Client) plan(ctx context.Context, what string, do Call) (*rollout.Plan, error) {
	raw, err := ask[json.RawMessage](ctx, c, what, do)
	if err != nil {
		return nil, err
	}
	p, err := rollout.ParsePlan(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: the answer is not that of a Candor server: %w", what, err)
	}
	return p, nil
}

// Evidence gives the bytes of an evidence bundle, and what they say.
func (c *Client) Evidence(ctx context.Context, id manifests.Name) ([]byte, *evidence.Bundle, error) {
	var data []byte
	err := c.Again(ctx, func() (bool, error) {
		var err error
		data, err = exchange(ctx, func(ctx context.Context) (*http.Response, error) { return c.API.GetEvidence(ctx, string(id)) }, evidence.MaxBytes)
		return false, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("evidence of %s: %w", id, err)
	}
	b, err := evidence.Parse(data)
	if err != nil {
		return nil, nil, fmt.Errorf("evidence of %s: what the server gave: %w", id, err)
	}
	if b.ID != id {
		return nil, nil, fmt.Errorf("evidence of %s: what the server gave is about %s", id, b.ID)
	}
	return data, b, nil
}
