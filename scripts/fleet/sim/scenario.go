package sim

import (
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/config"
)

// Tick is how often the engine looks, as the service does by default. Nothing
// in the fleet is told apart more finely.
var Tick = config.Rollouts{}.Look()

// Truth is what a build really does, whatever is said about it. Rates are
// parts of 1.
type Truth struct {
	// Fail is the part of trials that ends with a return to the old slot; never
	// below Noise.
	Fail float64
	// Brick is the part that is never heard of again.
	Brick float64
	// Noise is the part of trials that fails with a perfect build, and failed
	// with the release before.
	Noise float64
	// Lost is the part of handsets that goes silent after an attempt for
	// reasons that have nothing to do with the build.
	Lost float64
}

func (t Truth) failing() float64 { return max(t.Fail, t.Noise) }

// Poison is an attacker who has tokens. He casts trials only, no attempts: each
// of them then also hides a silent handset.
type Poison struct {
	Share float64      // of all trials that are counted
	Says  vote.Outcome // installed_healthy or rolled_back
}

// Off is the part of the fleet that is switched off for some hours of each
// day, each handset at hours of its own.
type Off struct {
	Part float64
	For  time.Duration
}

// Scenario is all that a run depends on besides its seed.
type Scenario struct {
	Fleet  *Fleet
	Plan   policy.Plan
	OptIn  float64 // part of owners who let outcomes be reported
	Poll   agent.Poll
	Report agent.Report
	Off    Off
	Truth  Truth
	Poison Poison
	// LeavesAt ends a run, as Passed, when the engine leaves this stage
	// (counted from 1); 0 goes on to the end.
	LeavesAt int
	// Horizon ends a run that has come to no end.
	Horizon time.Duration
	// Watch goes on this long after a halt, to see whether it holds.
	Watch time.Duration
}

// The model's defaults. Those of the handsets are the client's.
const (
	DefaultOptIn   = 0.2
	DefaultNoise   = 0.005
	DefaultLost    = 0.001
	DefaultHorizon = 14 * 24 * time.Hour
)

// Default is the scenario in which every figure is given unless it says
// otherwise: a good build with the plan of DefaultPlan.
func Default(f *Fleet) Scenario {
	return Scenario{
		Fleet: f, Plan: DefaultPlan(), OptIn: DefaultOptIn, Poll: PollEvery(6 * time.Hour),
		Report: agent.Report{
			AttemptWithin: manifests.Duration{Duration: 10 * time.Minute},
			OutcomeWithin: manifests.Duration{Duration: 6 * time.Hour},
			TokenWithin:   manifests.Duration{Duration: 6 * time.Hour},
		},
		Off:     Off{Part: 0.3, For: 8 * time.Hour},
		Truth:   Truth{Noise: DefaultNoise, Lost: DefaultLost},
		Horizon: DefaultHorizon,
	}
}

// PollEvery is a configuration of polls with the client's default jitter.
func PollEvery(d time.Duration) agent.Poll {
	return agent.Poll{Every: manifests.Duration{Duration: d}, Jitter: manifests.Duration{Duration: max(d/10, time.Second)}}
}

// Stages makes a plan that opens one share after the other, each soaking for
// as long.
func Stages(soak time.Duration, shares ...manifests.SharePPM) policy.Plan {
	p := policy.Plan{Product: Product, Channel: channel, Kind: manifests.KindNormal, Advance: policy.Auto}
	for _, s := range shares {
		p.Stages = append(p.Stages, policy.Stage{Share: s, Soak: manifests.Duration{Duration: soak}})
	}
	return p
}

// DefaultPlan is 0.5 %, 5 %, 25 % and 100 %.
func DefaultPlan() policy.Plan {
	return Stages(DefaultSoak, 5_000, 50_000, 250_000, manifests.WholeFleet)
}

// DefaultSoak is how long a stage of DefaultPlan lasts at least. Silence is
// known once the last attempts of a stage are due: with polls every 6 h and
// handsets that are off for 8 h these come 15 h after its opening, and are due
// 24 h and the rest of an hour later. A stage that soaks for 36 h is left
// before, and the votes of the next one then hide what was silent in it.
const DefaultSoak = 48 * time.Hour
