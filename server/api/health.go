package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/votes"
)

// rolloutHealth tells the numbers behind a rollout's verdict, and how they came
// to be. All of them are numbers that may be shown: server/README.md says of
// each what it is.
func (a *API) rolloutHealth(c *gin.Context) {
	r, err := a.rollout(c, auth.Read)
	var out contract.Health
	if err == nil {
		out, err = a.healthOf(c.Request.Context(), &r)
	}
	a.reply(c, out, err)
}

// checkup is all that is read about a rollout to tell its health.
type checkup struct {
	*rollout.Rollout
	known   rollout.Evidence
	shown   votes.Counts
	unheard bool            // nobody can report
	counts  verdict.Counts  // as shown, from the start
	history []store.ShownAt // since it was opened, with the row before
	log     []step
	before  []step // of the rollout of the release before
	last    store.ShownAt
}

func (a *API) examine(ctx context.Context, r *rollout.Rollout) (checkup, error) {
	x := checkup{Rollout: r}
	var err error
	if x.known, _, err = a.Rollouts.See(ctx, r); err != nil {
		return x, err
	}
	ref := refOf(r)
	x.shown, err = a.Votes.Shown(ctx, ref)
	if x.unheard = errors.Is(err, store.ErrNotFound); x.unheard {
		x.shown.At, err = a.Now(), nil
	}
	if err == nil {
		x.log, err = a.steps(ctx, string(r.ID))
	}
	if err == nil && x.known.Before != nil {
		x.before, err = a.steps(ctx, string(x.known.Before.ID))
	}
	if err == nil {
		x.history, err = a.Votes.History(ctx, ref, time.Time{})
	}
	x.counts = x.known.Votes.Counts
	if n := len(x.history); n > 0 {
		x.last = x.history[n-1]
	}
	return x, a.closed(ctx, &x, err)
}

// closed puts back what was last known of silence where the votes have closed:
// the hours from which it was counted are gone.
func (a *API) closed(ctx context.Context, x *checkup, err error) error {
	if err != nil || x.unheard {
		return err
	}
	v, err := a.Votes.Ledger.VoteRelease(ctx, refOf(x.Rollout))
	if err == nil && !v.Closed.IsZero() {
		x.counts.Due, x.counts.Silent = x.last.Due, x.last.Silent
	}
	return err
}

func (a *API) healthOf(ctx context.Context, r *rollout.Rollout) (contract.Health, error) {
	x, err := a.examine(ctx, r)
	if err != nil {
		return contract.Health{}, err
	}
	grace := int(rollout.Grace(&r.Plan, a.Rollouts.Grace) / time.Second)
	judged := r.Judged(x.known).Counts
	out := contract.Health{
		Id: string(r.ID), At: x.shown.At, ShownEvery: int(a.Votes.ShowEvery / time.Second), Grace: &grace, Masked: x.shown.Masked,
		Counts: countsOf(x.counts), Reasons: reasonsOf(x.shown.Reasons), Rate: rateOf(judged.RolledBack, judged.Trials, r.Plan.Guard.FailureLimit()),
		Points: x.points(), Lines: linesOf(r.Rules(x.known), judged.Trials), Blast: x.blast(), Pace: x.pace(), Opened: x.opened(),
	}
	if x.unheard {
		out.Unknown = &x.unheard
	}
	if x.counts.Due > 0 {
		silence := rateOf(x.counts.Silent, x.counts.Due, r.Plan.Guard.SilenceLimit())
		out.Silence = &silence
	}
	if r.Acquitted != nil {
		out.JudgedFrom = &contract.HealthPoint{
			At: r.Resumed.Time, Attempts: r.Acquitted.Attempts, Trials: r.Acquitted.Trials, Failed: r.Acquitted.RolledBack,
			Silent: r.Acquitted.Silent, SharePPM: int(r.Share()),
		}
	}
	out.Offered = out.Blast.Reached
	if ahead := r.Ahead(x.known.Release, a.Now()); len(ahead) > 0 {
		plan := []contract.ShareStep{}
		for _, o := range ahead {
			plan = append(plan, contract.ShareStep{At: o.At, SharePPM: int(o.Share), Stage: &o.Stage})
		}
		out.Plan = &plan
	}
	out.Before, err = a.beforeOf(ctx, &x)
	return out, err
}

func countsOf(c verdict.Counts) contract.HealthCounts {
	return contract.HealthCounts{
		Attempts: c.Attempts, Trials: c.Trials, Healthy: c.Healthy, RolledBack: c.RolledBack, Regressions: c.Regressions,
		Declined: c.Declined, NotTried: c.NotTried, Due: c.Due, Silent: c.Silent,
	}
}

// causes say what a reason means, for people on call.
var causes = map[vote.Reason]string{
	vote.Download:    "The download did not come to its end.",
	vote.Verify:      "What was written was not what is signed.",
	vote.Space:       "There was not enough space.",
	vote.Power:       "The power failed in the middle.",
	vote.BootLoop:    "The new build did not start.",
	vote.HealthCheck: "The new build started, and its own checks failed.",
	vote.DeltaBase:   "The build that the patch is for was not as expected.",
	vote.Other:       "Something else went wrong.",
}

// reasonsOf gives the reasons that may be shown, the most votes first.
func reasonsOf(reasons map[vote.Class]map[vote.Reason]int64) []contract.ReasonCount {
	out := []contract.ReasonCount{}
	for class, parts := range reasons {
		for reason, n := range parts {
			one := contract.ReasonCount{Class: contract.ReasonCountClass(class), Reason: string(reason), Votes: n}
			if text := causes[reason]; text != "" {
				one.Sentence = &text
			}
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b contract.ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Votes, a.Votes), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}
