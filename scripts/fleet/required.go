package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/fleet/sim"
)

const (
	seed    = 2014 // of the fleets; those of the runs count from 1
	workers = 2
)

func newFleet(handsets int) *sim.Fleet { return sim.NewFleet(handsets, seed) }

// player plays scenarios.
type player struct {
	*options
	fleet *sim.Fleet
	say   func(format string, args ...any)
}

// scenario is the default one with what the flags change.
func (p *player) scenario() sim.Scenario {
	s := sim.Default(p.fleet)
	s.OptIn, s.Plan = p.optIn, p.plan
	return s
}

// play runs one scenario with all seeds.
func (p *player) play(what string, change func(*sim.Scenario)) ([]sim.Run, error) {
	return p.playSome(what, p.seeds, change)
}

func (p *player) playSome(what string, seeds int, change func(*sim.Scenario)) ([]sim.Run, error) {
	p.say("%s", what)
	s := p.scenario()
	change(&s)
	return sim.Many(&s, 1, seeds, workers)
}

// required plays all that the simulator has to show.
func (p *player) required() ([]figure.Row, error) {
	rows := p.positions()
	for _, part := range []func() ([]figure.Row, error){p.fivePercent, p.bricks, p.quick10And50, p.falseHalts, p.window, p.attacker} {
		more, err := part()
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return append(rows, p.outage()), nil
}

// positions asks who is eligible. Sampling is allowed four standard deviations.
func (p *player) positions() []figure.Row {
	p.say("who is eligible")
	few := newFleet(min(p.handsets, 100_000))
	poll := sim.PollEvery(6 * time.Hour)
	_, none := sim.Eligible(few, 42, 0, 14, poll)
	first, ever := sim.Eligible(few, 42, 100_000, 14, poll)
	n := float64(few.Size)
	slack := 400 * math.Sqrt(0.1*0.9/n)
	both, of := sim.Overlap(p.fleet, 42, 43, 100_000)
	tenth := float64(of)
	return []figure.Row{
		figure.AtMost(fmt.Sprintf("handsets of %s eligible at share 0, 14 polls each", thousands(few.Size)), float64(none), "handsets", 0),
		figure.Near("eligible at share 10 %, first poll", 100*float64(first)/n, "%", 10, slack),
		figure.Near("eligible at share 10 %, ever in 14 polls", 100*float64(ever)/n, "%", 10, slack),
		figure.AtMost("handsets that only a later poll made eligible", float64(ever-first), "handsets", 0),
		figure.Near("of the first tenth of a release, also in that of the next", 100*float64(both)/tenth, "%", 10, 400*math.Sqrt(0.09*0.9/tenth)),
	}
}

func (p *player) part(runs []sim.Run, holds func(*sim.Run) bool) float64 {
	return 100 * float64(sim.Count(runs, holds)) / float64(len(runs))
}

func halted(r *sim.Run) bool    { return r.End == sim.Halted }
func completed(r *sim.Run) bool { return r.End == sim.Complete }

func (p *player) installed(r *sim.Run) float64 {
	return 100 * float64(r.Installed) / float64(p.fleet.Size)
}

func (p *player) fivePercent() ([]figure.Row, error) {
	runs, err := p.play("a build that fails 5 %", func(s *sim.Scenario) { s.Truth.Fail = 0.05 })
	if err != nil {
		return nil, err
	}
	early := func(r *sim.Run) bool { return halted(r) && p.installed(r) < 1 }
	return []figure.Row{
		figure.AtLeast(fmt.Sprintf("fails 5 %%: halted before 1 %% of %s have it, of %s seeds", thousands(p.handsets), thousands(p.seeds)), p.part(runs, early), "%", 99),
		figure.Of("fails 5 %: had it when it halted, 99th percentile", sim.Quantile(runs, sim.Halted, 0.99, p.installed), "%"),
		figure.Of("fails 5 %: votes until it halted, median", sim.Quantile(runs, sim.Halted, 0.5, votes), "votes"),
		figure.Of("fails 5 %: hours until it halted, median", sim.Quantile(runs, sim.Halted, 0.5, hours), "h"),
		figure.Of("fails 5 %: hours until it halted, 99th percentile", sim.Quantile(runs, sim.Halted, 0.99, hours), "h"),
	}, nil
}

func votes(r *sim.Run) float64 { return float64(r.Votes) }

func hours(r *sim.Run) float64 { return r.Took.Hours() }

func harmed(r *sim.Run) float64 { return float64(r.Harmed()) }

func (p *player) bricks() ([]figure.Row, error) {
	runs, err := p.play("a build after which 3 % go silent", func(s *sim.Scenario) { s.Truth.Brick = 0.03 })
	if err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.AtLeast("3 % go silent: halted within the first stage", p.part(runs, func(r *sim.Run) bool { return halted(r) && r.Stage == 0 }), "%", 99),
		figure.Of("3 % go silent: halted later", p.part(runs, func(r *sim.Run) bool { return halted(r) && r.Stage > 0 }), "%"),
		figure.Of("3 % go silent: hours until it halted, 99th percentile", sim.Quantile(runs, sim.Halted, 0.99, hours), "h"),
		figure.Of("3 % go silent: had it when it halted, 99th percentile", sim.Quantile(runs, sim.Halted, 0.99, p.installed), "%"),
	}, nil
}

func (p *player) quick10And50() ([]figure.Row, error) {
	ten, err := p.play("a build that fails 10 %", func(s *sim.Scenario) { s.Truth.Fail = 0.10 })
	if err != nil {
		return nil, err
	}
	half, err := p.play("a build that fails 50 %", func(s *sim.Scenario) { s.Truth.Fail = 0.50 })
	if err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.AtMost("fails 10 %: votes until it halted, median", sim.Quantile(ten, sim.Halted, 0.5, votes), "votes", 60),
		figure.AtMost("fails 50 %: votes until it halted, median", sim.Quantile(half, sim.Halted, 0.5, votes), "votes", 8),
		figure.Of("fails 10 %: halted", p.part(ten, halted), "%"),
		figure.Of("fails 50 %: halted", p.part(half, halted), "%"),
	}, nil
}

// falseHalts plays whole rollouts. What matters is how often the votes are
// looked at, and that the stages are large enough for verdicts; so the fleet is
// smaller and half of it votes: 4,000 and 10,000 votes, as many as of 50,000
// handsets at an opt-in rate of 20 %.
func (p *player) falseHalts() ([]figure.Row, error) {
	fleet := newFleet(min(p.handsets, 20_000))
	whole := func(s *sim.Scenario) {
		plan := sim.Stages(sim.DefaultSoak, 400_000, manifests.WholeFleet)
		plan.Guard = s.Plan.Guard
		s.Fleet, s.Plan, s.OptIn = fleet, plan, 0.5
	}
	good, err := p.play("whole rollouts of a good build", whole)
	if err != nil {
		return nil, err
	}
	worse, err := p.play("whole rollouts of a build that fails 1 %", func(s *sim.Scenario) {
		whole(s)
		s.Truth.Fail = 0.01
	})
	if err != nil {
		return nil, err
	}
	where := fmt.Sprintf("(%s handsets, half vote; stages 40 %% and 100 %%)", thousands(fleet.Size))
	return []figure.Row{
		figure.AtMost("good, 0.5 % noise: falsely halted "+where, p.part(good, halted), "%", 1),
		figure.AtMost("fails 1 %, 2 % is accepted: falsely halted "+where, p.part(worse, halted), "%", 1),
		figure.Of("good, 0.5 % noise: went all the way by itself", p.part(good, completed), "%"),
		figure.Of("fails 1 %, 2 % is accepted: went all the way by itself", p.part(worse, completed), "%"),
	}, nil
}

// window plays a good build whose handsets restart at night only. The client
// reports the attempt, then polls again within the window, unless its owner
// switches it off and on before; the engine gives it a day more.
func (p *player) window() ([]figure.Row, error) {
	runs, err := p.playSome("a good build that restarts handsets at night only", p.some(), func(s *sim.Scenario) {
		s.Plan.Window, s.LeavesAt = &policy.Window{From: 2 * 60, To: 5 * 60}, 1
		s.Plan.Stages = slices.Clone(s.Plan.Stages)
		for i := range s.Plan.Stages { // so much longer is it known late who is silent
			s.Plan.Stages[i].Soak.Duration += 24 * time.Hour
		}
	})
	if err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.AtMost("good, restarts from 02:00 to 05:00 only: falsely halted in the first stage", p.part(runs, halted), "%", 1),
	}, nil
}

func (p *player) attacker() ([]figure.Row, error) {
	runs, err := p.play("a build that fails 3.1 %, and an attacker with 1 % of the votes", func(s *sim.Scenario) {
		s.Truth.Fail, s.LeavesAt = 0.031, 1
		s.Poison = sim.Poison{Share: 0.01, Says: vote.InstalledHealthy}
	})
	if err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.AtMost("fails 3.1 %, 1 % of the votes lie: leaves the first stage", p.part(runs, func(r *sim.Run) bool { return r.End == sim.Passed }), "%", 1),
		figure.Of("fails 3.1 %, 1 % of the votes lie: halted there", p.part(runs, halted), "%"),
		figure.Of("fails 3.1 %, 1 % of the votes lie: stays there undecided", p.part(runs, func(r *sim.Run) bool { return r.End == sim.Undecided }), "%"),
	}, nil
}

// outage takes the worst of several moments after the last stage of the default
// plan was opened.
func (p *player) outage() figure.Row {
	s, worst := p.scenario(), 0.0
	for _, lead := range []time.Duration{2, 4, 6, 8} {
		p.say("six hours without the service, %d h after the last stage was opened", lead)
		o := sim.Outage{
			Handsets: p.handsets, Poll: s.Poll, Report: s.Report, Off: s.Off, Opened: 0.75, OptIn: p.optIn,
			Lead: lead * time.Hour, For: 6 * time.Hour, Seed: seed,
		}
		steady, peak := o.Peak()
		worst = max(worst, peak/steady)
	}
	return figure.AtMost(fmt.Sprintf("polls per 10 min after an outage of 6 h, against steady (%s handsets)", thousands(p.handsets)), worst, "ratio", 2)
}

// thousands writes 1000000 as 1,000,000.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
