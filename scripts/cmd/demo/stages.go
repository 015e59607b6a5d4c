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
// soak and a whole round of polls has changed nothing.
func (d *demo) rollOut(ctx context.Context) error {
	plan, err := d.plan()
	if err != nil {
		return err
	}
	r, err := d.Open(ctx, plan)
	if err != nil {
		return err
	}
	for i, stage := range plan.Stages {
		if i > 0 {
			if err := d.advance(ctx, r.ID); err != nil {
				return err
			}
		}
		d.say.step(fmt.Sprintf("stage %d: open to %s", i+1, stage.Share))
		if d.bad && d.count(rolledBack) > 0 {
			return d.halt(ctx, r.ID, part(stage.Share))
		}
		if d.bad && i == len(plan.Stages)-1 {
			return d.watchLast(ctx, r.ID)
		}
		if err := d.settle(ctx); err != nil {
			return err
		}
		d.stages = append(d.stages, stageResult{Share: part(stage.Share), Handsets: d.count(onNewBuild)})
	}
	return nil
}

// watchLast is the last stage of a bad build that no stage before has shown to
// be bad: it is halted at the first phone that comes back.
func (d *demo) watchLast(ctx context.Context, id string) error {
	for some := range slices.Chunk(d.fleet, 2) {
		for range 2 { // the first poll may only find that the owner must be asked
			if err := d.some(ctx, some, d.turn); err != nil {
				return err
			}
		}
		if d.count(rolledBack) > 0 {
			return d.halt(ctx, id, 1)
		}
	}
	return errors.New("the bad build failed on no handset")
}

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
	for i := range p.Stages {
		p.Stages[i].Soak.Duration, p.Stages[i].MinVotes, p.Stages[i].Approvals = d.soak, 0, 0
	}
	return p, nil
}

// advance tries until soak and signed pace allow the next stage.
func (d *demo) advance(ctx context.Context, id string) error {
	for began := time.Now(); ; {
		_, err := d.Change(ctx, id, "advance", "")
		if err == nil || time.Since(began) > 30*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// settle lets every phone poll until nothing changes any more.
func (d *demo) settle(ctx context.Context) error {
	for began := time.Now(); ; {
		before := d.picture()
		if err := d.each(ctx, d.turn); err != nil {
			return err
		}
		if time.Since(began) >= d.soak && d.picture() == before {
			return nil
		}
		if time.Since(began) > 2*time.Minute {
			return fmt.Errorf("the fleet has not settled after two minutes: %s", d.picture())
		}
	}
}

func (d *demo) picture() string {
	out := ""
	for _, p := range d.fleet {
		out += fmt.Sprintf("%s:%d:%s:%s ", p.name, p.build, p.state, p.code)
	}
	return out
}

// halt stops the rollout and shows that nobody installs any more.
func (d *demo) halt(ctx context.Context, id string, share float64) error {
	reason := fmt.Sprintf("handsets went back to their old slot (%d of %d that tried it): the health check failed", d.count(rolledBack), d.count(rolledBack)+d.count(onNewBuild))
	if _, err := d.Change(ctx, id, "halt", reason); err != nil {
		return err
	}
	d.say.step("halted: " + reason)
	before := d.count(onNewBuild)
	for range 2 {
		if err := d.each(ctx, d.turn); err != nil {
			return err
		}
	}
	d.stages = append(d.stages, stageResult{Share: share, Handsets: d.count(onNewBuild), Halted: true})
	if after := d.count(onNewBuild); after != before {
		return fmt.Errorf("%d handsets installed after the halt", after-before)
	}
	return nil
}

func part(s manifests.SharePPM) float64 { return float64(s) / float64(manifests.WholeFleet) }

func onNewBuild(p *phone) bool { return p.build == newBuild }
func rolledBack(p *phone) bool { return p.rolledBack }
func reports(p *phone) bool    { return p.reports }

func (d *demo) count(is func(*phone) bool) int {
	n := 0
	for _, p := range d.fleet {
		if is(p) {
			n++
		}
	}
	return n
}
