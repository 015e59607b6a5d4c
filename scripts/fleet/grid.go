package main

import (
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/fleet/sim"
)

// cell is one scenario of the grid, and what came of it.
type cell struct {
	fail, brick float64
	poison      sim.Poison
	poll        time.Duration
	bad         bool // by the limits of the plan

	halted, left, open       float64 // percent of the seeds
	votes50, votes99         float64 // of those that were halted
	hours50, hours99         float64
	installed50, installed99 float64 // percent of the fleet
	harmed50, harmed99       float64
}

// grid plays every combination of its axes. A bad build is played until it has
// left the second stage, others until they have left the first.
func (p *player) grid() ([]cell, error) {
	var out []cell
	for _, fail := range p.fail {
		for _, brick := range p.brick {
			p.say("grid: fails %s, goes silent %s", percent(fail), percent(brick))
			for _, poison := range p.poison {
				for _, poll := range p.poll {
					c := cell{fail: fail, brick: brick, poison: poison, poll: poll}
					if err := p.fill(&c); err != nil {
						return nil, err
					}
					out = append(out, c)
				}
			}
		}
	}
	return out, nil
}

func (p *player) fill(c *cell) error {
	s := p.scenario()
	limit := func(v manifests.SharePPM) float64 { return float64(v) / float64(manifests.WholeFleet) }
	c.bad = c.fail > limit(s.Plan.Guard.FailureLimit()) || c.brick > limit(s.Plan.Guard.SilenceLimit())
	s.Truth.Fail, s.Truth.Brick, s.Poison, s.Poll = c.fail, c.brick, c.poison, sim.PollEvery(c.poll)
	s.LeavesAt = 1
	if c.bad {
		s.LeavesAt = min(2, len(s.Plan.Stages))
	}
	runs, err := sim.Many(&s, 1, p.some(), workers)
	if err != nil {
		return err
	}
	c.halted = p.part(runs, halted)
	c.open = p.part(runs, func(r *sim.Run) bool { return r.End == sim.Undecided })
	c.left = 100 - c.halted - c.open
	for _, f := range []struct {
		median, high *float64
		value        func(*sim.Run) float64
	}{
		{&c.votes50, &c.votes99, votes},
		{&c.hours50, &c.hours99, hours},
		{&c.installed50, &c.installed99, p.installed},
		{&c.harmed50, &c.harmed99, harmed},
	} {
		*f.median, *f.high = sim.Quantile(runs, sim.Halted, 0.5, f.value), sim.Quantile(runs, sim.Halted, 0.99, f.value)
	}
	return nil
}

// leaves says which stage left counts as gone on.
func (c *cell) leaves() string {
	if c.bad {
		return "wrongly left the second stage"
	}
	return "left the first stage"
}

func (c *cell) rows() []figure.Row {
	name := fmt.Sprintf("grid: fails %s, silent %s, attacker %s, poll %s: ", percent(c.fail), percent(c.brick), attackerName(c.poison), short(c.poll))
	rows := []figure.Row{
		figure.Of(name+"halted", c.halted, "%"),
		figure.Of(name+c.leaves(), c.left, "%"),
		figure.Of(name+"undecided", c.open, "%"),
	}
	if c.halted == 0 {
		return rows
	}
	return append(rows,
		figure.Of(name+"votes when halted, median", c.votes50, "votes"),
		figure.Of(name+"votes when halted, 99th percentile", c.votes99, "votes"),
		figure.Of(name+"time until halted, median", c.hours50, "h"),
		figure.Of(name+"time until halted, 99th percentile", c.hours99, "h"),
		figure.Of(name+"had it when halted, median", c.installed50, "% of fleet"),
		figure.Of(name+"had it when halted, 99th percentile", c.installed99, "% of fleet"),
		figure.Of(name+"harmed when halted, median", c.harmed50, "handsets"),
		figure.Of(name+"harmed when halted, 99th percentile", c.harmed99, "handsets"),
	)
}

func percent(part float64) string { return fmt.Sprintf("%.3g %%", 100*part) }

func attackerName(p sim.Poison) string {
	switch p.Says {
	case vote.InstalledHealthy:
		return fmt.Sprintf("%s healthy", percent(p.Share))
	case vote.RolledBack:
		return fmt.Sprintf("%s failed", percent(p.Share))
	}
	return "none"
}
