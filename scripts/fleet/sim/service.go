package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/votes"
)

// service is the engine, with the votes that it judges by.
type service struct {
	s       *Scenario
	random  *rand.Rand
	release policy.Signed
	rollout rollout.Rollout
	begin   time.Time
	ballots ballots
	before  verdict.Counts
	issue   float64   // trial tokens that are asked for in all
	news    bool      // was counted since the engine looked
	urgent  bool      // it may make the engine act while the stage still soaks
	wake    time.Time // when something comes that the engine waits for; zero: nothing
	patient bool      // the engine is asked only when it can answer otherwise
	halted  policy.Rule
	said    string // by the engine when it looked last
	counter uint64 // of documents
}

// Those who start the rollout and stand behind all of it.
var operator = rollout.Person{ID: "operator", Name: "operator"}

// start has an operator start the plan, and everybody who is asked approve it.
func (v *service) start(s *Scenario, release policy.Signed, begin time.Time, random *rand.Rand) error {
	grace := rollout.Grace(&s.Plan, votes.DefaultGrace)
	optedIn := math.Round(float64(s.Fleet.Size) * s.OptIn)
	*v = service{s: s, random: random, release: release, begin: begin, ballots: newBallots(grace), issue: optedIn, patient: true}
	v.before = s.Truth.before(int64(optedIn), random)
	plan := s.Plan
	plan.Product, plan.Build, plan.Channel, plan.Audience = Product, release.Release.Build, channel, policy.Audience{}
	plan.Advance, plan.Start = policy.Auto, nil
	if plan.Kind == manifests.KindOptional {
		plan.Kind = manifests.KindNormal
	}
	r := rollout.Rollout{ID: "rollout", Plan: plan, Release: release.Reference, State: rollout.Draft, Author: operator, Changed: begin}
	most := slices.MaxFunc(plan.Stages, func(a, b policy.Stage) int { return int(a.Approvals) - int(b.Approvals) })
	for i := range most.Approvals {
		p := rollout.Person{ID: fmt.Sprintf("colleague %d", i+1)}
		r.Approvals = append(r.Approvals, rollout.Approval{Person: p, At: manifests.At(begin), UpTo: len(plan.Stages) - 1})
	}
	var err error
	v.rollout, err = r.Apply(rollout.Start, rollout.Facts{Evidence: v.evidence(begin), Now: begin, By: operator})
	if err != nil {
		return fmt.Errorf("start the rollout: %w", err)
	}
	return nil
}

// document is what handsets see.
func (v *service) document() *policy.Document {
	v.counter++
	r := &v.rollout
	return &policy.Document{Spec: policy.Spec, Product: Product, Counter: v.counter, Rollouts: []policy.Rollout{{
		ID: r.ID, Release: r.Release, Build: r.Plan.Build, Channel: r.Plan.Channel, State: r.State, Stage: r.Stage,
		Share: r.Share(), Kind: r.Plan.Kind, Deferral: r.Plan.Deferral, Window: r.Plan.Window, Reason: r.Reason,
	}}}
}

// attempt counts the attempt of a handset.
func (v *service) attempt(now time.Time) {
	v.ballots.attempt(now)
	v.news = true
}

// trial counts the trial of a handset, and those that the attacker adds to
// keep his share; it tells how many these are.
func (v *service) trial(healthy bool) (dishonest int64) {
	v.cast(healthy)
	share := v.s.Poison.Share
	for more := share / (1 - share); more > 0; more-- {
		if v.random.Float64() < more {
			v.cast(v.s.Poison.Says == vote.InstalledHealthy)
			dishonest++
		}
	}
	return dishonest
}

func (v *service) cast(healthy bool) {
	v.news = true
	if !healthy || v.ballots.counts.Trials < minToHalt {
		v.urgent = true
	}
	reason := vote.None
	if !healthy {
		reason = v.s.Truth.reason(v.random)
	}
	v.ballots.trial(reason)
}

// issued is how many trial tokens were given out: every handset whose owner
// opted in asks once, within a time from its first poll, in the share or not.
func (v *service) issued(since time.Duration) int64 {
	a, b := v.s.Poll.Every.Seconds()+v.s.Poll.Jitter.Seconds()/2, max(v.s.Report.TokenWithin.Seconds(), 1)
	x := min(since.Seconds(), a+b)
	// The sum of two even waits: the area of a rectangle below a diagonal.
	corner := func(d float64) float64 { return max(d, 0) * max(d, 0) / 2 }
	return int64(v.issue * min(1, (corner(x)-corner(x-a)-corner(x-b))/(a*b)))
}

func (v *service) evidence(now time.Time) rollout.Evidence {
	counts := v.ballots.counts
	counts.Issued = v.issued(now.Sub(v.begin))
	return rollout.Evidence{
		Release: v.release.Release, ApprovalShare: manifests.WholeFleet,
		Votes: verdict.Evidence{Counts: counts, Before: &v.before},
	}
}

// look has the engine decide, and tells whether it acted. A stage that soaks is
// left by a halt alone, and only a failure, the first few votes, or an hour in
// which attempts come due, can bring that about: until then it is not asked.
func (v *service) look(now time.Time) bool {
	if v.ballots.advance(now) {
		v.news, v.urgent = true, true
	}
	soaks := now.Before(v.rollout.StageSince.Add(v.rollout.Plan.Stages[v.rollout.Stage].Soak.Duration))
	due := !v.wake.IsZero() && !now.Before(v.wake)
	if v.patient && !due && !v.urgent && (soaks || !v.news) {
		return false
	}
	v.news, v.urgent, v.wake = false, false, time.Time{}
	d := rollout.Next(&v.rollout, v.evidence(now), now)
	v.said = d.Sentence
	for _, w := range d.Waits {
		if w.Until.After(now) && (v.wake.IsZero() || w.Until.Before(v.wake)) {
			v.wake = w.Until
		}
	}
	if d.Action == "" {
		return false
	}
	for _, f := range d.Verdict.Findings {
		if d.Action == rollout.Halt && f.Outcome == verdict.Halt && !f.Reports && v.halted == "" {
			v.halted = f.Rule
		}
	}
	v.rollout = v.rollout.Decided(d, now)
	v.rollout.Changed = now
	v.news, v.urgent = true, true // the next stage is judged by other limits
	return true
}

// settled tells whether no more votes or times to wait for are known.
func (v *service) settled(now time.Time) bool {
	return !v.news && v.wake.IsZero() && v.ballots.counts.Due == v.ballots.counts.Attempts && v.issued(now.Sub(v.begin)) >= int64(v.issue)
}
