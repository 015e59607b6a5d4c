package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// stageResult is one stage as it went.
type stageResult struct {
	Share    float64 `json:"share"`    // of the fleet, 0 to 1
	Handsets int     `json:"handsets"` // on the new build at its end
	Halted   bool    `json:"halted,omitempty"`
}

// rollOut opens the release stage by stage. A stage ends when it has lasted its
// soak and a whole round of polls has changed nothing, or when the engine has
// halted the rollout.
func (d *demo) rollOut(ctx context.Context) error {
	plan, err := d.plan()
	if err != nil {
		return err
	}
	r, err := d.Open(ctx, plan)
	if err != nil {
		return err
	}
	d.rollout = r.ID
	d.say.step("one operator proposed the rollout, another one approved it: a single person may open 10 % at most")
	for i, stage := range plan.Stages {
		if i > 0 {
			if err := d.advance(ctx); err != nil {
				return err
			}
		}
		d.say.step(fmt.Sprintf("stage %d: open to %s", i+1, stage.Share))
		halted, err := d.settle(ctx, !d.bad && !d.keep && stage.Share == manifests.WholeFleet)
		if err != nil {
			return err
		}
		d.stages = append(d.stages, stageResult{Share: part(stage.Share), Handsets: d.count(onNewBuild), Halted: halted})
		if halted {
			return d.watchHalted(ctx)
		}
	}
	return nil
}

// Of so small a fleet the votes prove little. What a build does that fails on
// every tenth handset shows all the same, to an author who accepts one in 500.
const acceptedFailures = manifests.SharePPM(2_000)

func (d *demo) plan() (*rollout.Plan, error) {
	data, err := os.ReadFile("manifests/examples/xiaomi-optin/rollout.yaml")
	if err != nil {
		return nil, err
	}
	p, err := rollout.ParsePlan(data)
	if err != nil {
		return nil, err
	}
	// A demo cannot wait for days, or for the night.
	p.Window, p.Spread.Duration = nil, 0
	p.Guard = rollout.Guard{Failures: acceptedFailures}
	p.Budget = &rollout.Budget{MaxHarmed: uint32(d.handsets), Fleet: uint64(d.handsets)} // so that shares can be told in handsets
	for i := range p.Stages {
		p.Stages[i].Soak.Duration, p.Stages[i].MinVotes = d.soak, 0
	}
	return p, nil
}

// advance goes on to the next stage, once soak and signed pace allow it.
func (d *demo) advance(ctx context.Context) error {
	for began := time.Now(); ; {
		_, err := d.Change(ctx, d.rollout, "advance", "so few handsets prove nothing; the demo goes on all the same")
		if err == nil || time.Since(began) > 30*time.Second {
			return err
		}
		if halted, lookErr := d.isHalted(ctx); halted || lookErr != nil {
			return lookErr // the next look at the fleet tells of it
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (d *demo) isHalted(ctx context.Context) (bool, error) {
	r, err := d.Look(ctx, d.rollout)
	return r.State == string(rollout.Halted), err
}

// settle lets every phone poll until nothing changes any more, or until the
// engine has halted the rollout. all waits for every phone: one that had to try
// again, as on a busy machine, may look the same for a round.
func (d *demo) settle(ctx context.Context, all bool) (halted bool, err error) {
	for began := time.Now(); ; {
		before := d.picture()
		for some := range slices.Chunk(d.fleet, 10) {
			was := d.count(tried)
			if err := d.some(ctx, some, d.turn); err != nil {
				return false, err
			}
			if d.bad && d.count(tried) != was { // real polls are hours apart; let the votes arrive here too
				if err := d.report(ctx, some); err != nil {
					return false, err
				}
			}
			if halted, err := d.isHalted(ctx); halted || err != nil {
				return halted, err
			}
		}
		if time.Since(began) >= d.soak && d.picture() == before && (!all || d.count(onNewBuild) == len(d.fleet)) {
			return false, nil
		}
		if time.Since(began) > 2*time.Minute {
			return false, fmt.Errorf("the fleet has not settled after two minutes: %s", d.picture())
		}
	}
}

// report lets phones send what they have to say, and the engine hear it.
func (d *demo) report(ctx context.Context, some []*phone) error {
	for range 2 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second): // the longest delay of a report here
		}
		if err := d.some(ctx, some, d.turn); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) picture() string {
	out := ""
	for _, p := range d.fleet {
		out += fmt.Sprintf("%s:%d:%s:%s ", p.name, p.build, p.state, p.code)
	}
	return out
}

// watchHalted shows that nobody installs what the engine halted.
func (d *demo) watchHalted(ctx context.Context) error {
	r, err := d.Look(ctx, d.rollout)
	if err != nil {
		return err
	}
	d.halt = &haltResult{Reason: r.Reason, Share: float64(d.count(tried)) / float64(len(d.fleet)), Bound: r.HaltBound.Sentence}
	how := "the engine halted it by itself"
	if !d.bad {
		how = "somebody halted it"
	}
	d.say.step(fmt.Sprintf("%s: %s", how, r.Reason))
	d.say.step(fmt.Sprintf("%.0f %% of the handsets had installed it by then", 100*d.halt.Share))
	before := d.count(onNewBuild)
	for range 2 {
		if err := d.each(ctx, d.turn); err != nil {
			return err
		}
	}
	if after := d.count(onNewBuild); after > before {
		return fmt.Errorf("%d handsets installed after the halt", after-before)
	}
	return nil
}

func part(s manifests.SharePPM) float64 { return float64(s) / float64(manifests.WholeFleet) }

func onNewBuild(p *phone) bool { return p.build == newBuild }
func rolledBack(p *phone) bool { return p.rolledBack }
func reports(p *phone) bool    { return p.reports }
func tried(p *phone) bool      { return onNewBuild(p) || rolledBack(p) }

func (d *demo) count(is func(*phone) bool) int {
	n := 0
	for _, p := range d.fleet {
		if is(p) {
			n++
		}
	}
	return n
}
