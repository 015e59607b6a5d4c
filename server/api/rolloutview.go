package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/rollout"
)

// rolloutOf is a rollout as the contract has it, without its outlook.
func rolloutOf(r *rollout.Rollout) contract.Rollout {
	channel := string(r.Plan.Channel)
	out := contract.Rollout{
		Id: string(r.ID), Product: string(r.Plan.Product), Build: int64(r.Plan.Build), Channel: &channel, Plan: planOf(&r.Plan),
		State: contract.RolloutState(r.State), Stage: r.Stage, SharePPM: int(r.Share()), Stages: stagesOf(r.Plan.Stages),
		Author: personOf(r.Author), Approvals: []contract.Approval{}, BreakGlass: []contract.BreakGlass{},
		Version: r.Version, Created: r.Created, Changed: r.Changed,
	}
	if r.Reason != "" {
		out.Reason = &r.Reason
	}
	if !r.StageSince.IsZero() {
		out.StageSince = &r.StageSince.Time
	}
	if r.Proposer.ID != "" {
		p := personOf(r.Proposer)
		out.Proposer = &p
	}
	for i := range r.Approvals {
		out.Approvals = append(out.Approvals, approvalOf(&r.Approvals[i]))
	}
	if r.Resume != nil {
		wish := approvalOf(r.Resume)
		out.Resume = &wish
	}
	for _, b := range r.BreakGlass {
		out.BreakGlass = append(out.BreakGlass, contract.BreakGlass{By: personOf(b.Person), At: b.At.Time, Reason: b.Why, Action: string(b.Action), Stage: b.Stage})
	}
	if r.State == policy.Halted && !r.HaltedAt.IsZero() {
		out.HaltBound = haltBoundOf(r)
	}
	return out
}

// planOf is a plan in its own JSON form, which the contract leaves to package
// rollout of the manifests.
func planOf(p *policy.Plan) contract.Plan {
	out := contract.Plan{}
	data, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		panic(err) // a plan is made of texts and numbers
	}
	return out
}

func stagesOf(stages []policy.Stage) []contract.Stage {
	out := []contract.Stage{}
	for _, s := range stages {
		minVotes, approvals := int(s.MinVotes), int(s.Approvals)
		stage := contract.Stage{SharePPM: int(s.Share), Soak: s.Soak.String(), MinVotes: &minVotes, Approvals: &approvals}
		if s.Pass != 0 {
			pass := int(s.Pass)
			stage.PassPPM = &pass
		}
		out = append(out, stage)
	}
	return out
}

func personOf(p rollout.Person) contract.Person { return contract.Person{Id: p.ID, Name: p.Name} }

func approvalOf(a *rollout.Approval) contract.Approval {
	out := contract.Approval{By: personOf(a.Person), At: a.At.Time, UpTo: a.UpTo}
	if a.Why != "" {
		out.Reason = &a.Why
	}
	return out
}

// pollEvery is the longest time between two polls of a handset that is on, as the
// agent's defaults have it, jitter included.
const pollEvery = 7 * time.Hour

// haltBoundOf tells after when nobody installs what was halted: the last
// timestamp from before the halt has expired by then, the handset has polled
// once more, and a restart that its owner had put off is over.
func haltBoundOf(r *rollout.Rollout) *contract.HaltBound {
	wait := r.Plan.Deferral.Duration
	at := r.HaltedAt.Add(publish.TimestampLife + pollEvery + wait)
	return &contract.HaltBound{At: at, Sentence: fmt.Sprintf(
		"A handset that sees the halt no longer installs it, nor restarts into it. One that is kept from seeing it stops by %s at the latest, if its clock runs: %s until the last word from before the halt expires, %s to the next poll, %s of restarts put off.",
		manifests.At(at), manifests.Span(publish.TimestampLife), manifests.Span(pollEvery), manifests.Span(wait))}
}

func outlookOf(d rollout.Decision) *contract.Outlook {
	out := &contract.Outlook{Sentence: d.Sentence, Waits: []contract.Wait{}, Findings: []contract.Finding{}}
	if d.Verdict.Outcome != "" {
		outcome := contract.OutlookOutcome(d.Verdict.Outcome)
		out.Outcome = &outcome
	}
	if d.Action != "" {
		action := string(d.Action)
		out.Action = &action
	}
	for _, w := range d.Waits {
		wait := contract.Wait{Code: w.Code, Sentence: w.Sentence}
		if !w.Until.IsZero() {
			wait.Until = &w.Until
		}
		out.Waits = append(out.Waits, wait)
	}
	for i := range d.Verdict.Findings {
		out.Findings = append(out.Findings, findingOf(&d.Verdict.Findings[i]))
	}
	return out
}

func findingOf(f *verdict.Finding) contract.Finding {
	out := contract.Finding{Rule: string(f.Rule), Outcome: contract.FindingOutcome(f.Outcome), Failed: f.Failed, Of: f.Of, Sentence: f.Sentence}
	if f.Reports {
		out.ReportOnly = &f.Reports
	}
	if f.Reason != "" {
		reason := string(f.Reason)
		out.Reason = &reason
	}
	if f.Limit != 0 {
		limit := int(f.Limit)
		out.LimitPPM = &limit
	}
	if f.Below != 0 {
		below := int(f.Below)
		out.BelowPPM = &below
	}
	return out
}

// tagged gives an answer the version of what it shows, for If-Match.
func tagged(c *gin.Context, version int64) {
	c.Header("ETag", `"`+strconv.FormatInt(version, 10)+`"`)
	c.Header("Cache-Control", "no-store")
}

// show answers with a rollout; its ETag is the value for If-Match.
func (a *API) show(c *gin.Context, status int, r *rollout.Rollout, more ...func(*contract.Rollout)) {
	out := rolloutOf(r)
	for _, add := range more {
		add(&out)
	}
	tagged(c, r.Version)
	c.JSON(status, out)
}
