package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/fleet/sim"
)

// options are the flags of simulate. Rates are parts of 1.
type options struct {
	handsets, seeds int
	optIn           float64
	plan            policy.Plan
	planName        string
	fail, brick     []float64
	poison          []sim.Poison
	poll            []time.Duration
	gridOnly        bool // an axis of the grid was given
	quick, asJSON   bool
}

// some are as many seeds as suffice where thousands would tell no more.
func (o *options) some() int { return max(1, o.seeds/10) }

func parse(args []string) (*options, error) {
	o := &options{plan: sim.DefaultPlan(), planName: "0.5 %, 5 %, 25 %, 100 %, each for 48 h at least"}
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.IntVar(&o.handsets, "handsets", 1_000_000, "the size of the fleet, 1,000 to 10,000,000")
	flags.IntVar(&o.seeds, "seeds", 1_000, "how often each required figure is played; the grid takes a tenth of it")
	optIn := flags.String("opt-in", "20", "percent of owners who let outcomes be reported")
	plan := flags.String("plan", "", "a rollout plan (YAML) instead of the default one; audience, start, approvals and who advances are taken as given")
	fail := flags.String("fail", "0.5,1,3,5,10", "grid: percent of trials that fail; 0.5 is noise")
	brick := flags.String("brick", "0,3", "grid: percent of handsets that go silent")
	poison := flags.String("poison", "none,healthy:1,healthy:10,failed:1", "grid: what an attacker says, and with what percent of the votes")
	poll := flags.String("poll", "1h,6h,24h", "grid: how often handsets poll")
	flags.BoolVar(&o.quick, "quick", false, "fewer seeds, to see that it works")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "Usage: go run ./scripts/fleet simulate [flags]\n\nWithout --fail, --brick, --poison or --poll it plays the required figures too.\n\n")
		flags.PrintDefaults()
	}
	flags.SetOutput(os.Stdout)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "fail", "brick", "poison", "poll":
			o.gridOnly = true
		}
	})
	var errs []error
	one := func(err error) { errs = append(errs, err) }
	var parts []float64
	var err error
	parts, err = percents("opt-in", *optIn)
	one(err)
	if len(parts) == 1 {
		o.optIn = parts[0]
	}
	o.fail, err = percents("fail", *fail)
	one(err)
	o.brick, err = percents("brick", *brick)
	one(err)
	o.poison, err = poisons(*poison)
	one(err)
	o.poll, err = durations(*poll)
	one(err)
	one(o.readPlan(*plan))
	one(o.check())
	return o, errors.Join(errs...)
}

func (o *options) check() error {
	if o.quick {
		o.seeds = min(o.seeds, 40)
	}
	switch {
	case o.handsets < 1_000 || o.handsets > sim.MaxHandsets:
		return fmt.Errorf("--handsets is %d; 1,000 to %d are allowed", o.handsets, sim.MaxHandsets)
	case o.seeds < 1 || o.seeds > 1_000_000:
		return fmt.Errorf("--seeds is %d; 1 to 1,000,000 are allowed", o.seeds)
	case o.optIn <= 0:
		return errors.New("--opt-in takes one number above 0")
	}
	return nil
}

func (o *options) readPlan(name string) error {
	if name == "" {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("--plan: %w", err)
	}
	plan, err := policy.ParsePlan(data)
	if err != nil {
		return fmt.Errorf("--plan %s: %w", name, err)
	}
	o.plan, o.planName = *plan, name
	return nil
}

// percents reads numbers such as 0.5,3.
func percents(name, list string) ([]float64, error) {
	var out []float64
	for text := range strings.SplitSeq(list, ",") {
		v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), "%"), 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return nil, fmt.Errorf("--%s: %q is not a number of percent, 0 to 100", name, text)
		}
		out = append(out, v/100)
	}
	return out, nil
}

// poisons reads attackers such as none,healthy:1,failed:10.
func poisons(list string) ([]sim.Poison, error) {
	says := map[string]vote.Outcome{"healthy": vote.InstalledHealthy, "failed": vote.RolledBack}
	var out []sim.Poison
	for text := range strings.SplitSeq(list, ",") {
		what, share, ok := strings.Cut(strings.TrimSpace(text), ":")
		if what == "none" && !ok {
			out = append(out, sim.Poison{})
			continue
		}
		part, err := percents("poison", share)
		if says[what] == "" || err != nil || part[0] >= 1 {
			return nil, fmt.Errorf("--poison: %q is neither none, healthy:PERCENT nor failed:PERCENT, below 100", text)
		}
		out = append(out, sim.Poison{Share: part[0], Says: says[what]})
	}
	return out, nil
}

func durations(list string) ([]time.Duration, error) {
	var out []time.Duration
	for text := range strings.SplitSeq(list, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || d < time.Minute || d > 7*24*time.Hour {
			return nil, fmt.Errorf("--poll: %q is not a time such as 6h, from 1m to 168h", text)
		}
		out = append(out, d)
	}
	return out, nil
}
