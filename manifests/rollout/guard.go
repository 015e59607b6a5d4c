package rollout

import (
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

// Guard says what a rollout puts up with: for each kind of trouble the worst
// rate that its author accepts, in parts per million. Zero is the default.
// What the limits prove, and after how many votes, is said in package verdict.
type Guard struct {
	Failures    manifests.SharePPM                 `json:"failuresPPM,omitempty"`    // trials that fell back to the old slot
	Silence     manifests.SharePPM                 `json:"silencePPM,omitempty"`     // attempts that no outcome followed
	Regressions manifests.SharePPM                 `json:"regressionsPPM,omitempty"` // healthy builds that failed later
	Refusals    manifests.SharePPM                 `json:"refusalsPPM,omitempty"`    // installations that did not come about; holds, never halts
	Unheard     manifests.SharePPM                 `json:"unheardPPM,omitempty"`     // of those expected by tokens; holds, never halts
	NewReason   manifests.SharePPM                 `json:"newReasonPPM,omitempty"`   // failures for one reason that the release before did not have
	Reasons     map[vote.Reason]manifests.SharePPM `json:"reasonsPPM,omitempty"`     // failures for one reason
	// Grace is how long an attempt may go without an outcome.
	Grace manifests.Duration `json:"grace,omitzero"`
	// ReportOnly names rules that speak but neither halt nor hold.
	ReportOnly []Rule `json:"reportOnly,omitempty"`
}

// Rule names one thing that is watched.
type Rule string

// The rules.
const (
	RuleFailures    Rule = "failures"
	RuleSilence     Rule = "silence"
	RuleRegressions Rule = "regressions"
	RuleReason      Rule = "reason"
	RuleNewReason   Rule = "new-reason"
	RuleRefusals    Rule = "refusals"
	RuleUnheard     Rule = "unheard"
	RuleLab         Rule = "lab"
)

// Rules are all of them, in the order in which they are told.
var Rules = []Rule{RuleLab, RuleFailures, RuleReason, RuleNewReason, RuleRegressions, RuleSilence, RuleRefusals, RuleUnheard}

// The defaults of a Guard, in parts per million. server/README.md has the
// simulations by which they were chosen.
const (
	DefaultFailures manifests.SharePPM = 20_000
	DefaultSilence  manifests.SharePPM = 10_000
	DefaultRefusals manifests.SharePPM = 100_000
	DefaultUnheard  manifests.SharePPM = 500_000
)

func either(v, otherwise manifests.SharePPM) manifests.SharePPM {
	if v != 0 {
		return v
	}
	return otherwise
}

// FailureLimit is the worst accepted rate of failed trials.
func (g *Guard) FailureLimit() manifests.SharePPM { return either(g.Failures, DefaultFailures) }

// SilenceLimit is the worst accepted rate of attempts without an outcome.
func (g *Guard) SilenceLimit() manifests.SharePPM { return either(g.Silence, DefaultSilence) }

// RegressionLimit is that of Failures unless it is set.
func (g *Guard) RegressionLimit() manifests.SharePPM { return either(g.Regressions, g.FailureLimit()) }

// NewReasonLimit is that of Failures unless it is set.
func (g *Guard) NewReasonLimit() manifests.SharePPM { return either(g.NewReason, g.FailureLimit()) }

// RefusalLimit is the worst accepted rate of installations that did not come about.
func (g *Guard) RefusalLimit() manifests.SharePPM { return either(g.Refusals, DefaultRefusals) }

// UnheardLimit is the greatest part of the expected handsets that may be missing.
func (g *Guard) UnheardLimit() manifests.SharePPM { return either(g.Unheard, DefaultUnheard) }

// Reports tells whether a rule only reports.
func (g *Guard) Reports(r Rule) bool { return slices.Contains(g.ReportOnly, r) }

func (g *Guard) validate(path string) error {
	for _, f := range []struct {
		name  string
		value manifests.SharePPM
	}{
		{"failuresPPM", g.Failures},
		{"silencePPM", g.Silence},
		{"regressionsPPM", g.Regressions},
		{"refusalsPPM", g.Refusals},
		{"unheardPPM", g.Unheard},
		{"newReasonPPM", g.NewReason},
	} {
		if err := checkRate(path+"."+f.name, f.value); err != nil {
			return err
		}
	}
	for reason, limit := range g.Reasons {
		field := path + ".reasonsPPM." + string(reason)
		if !slices.Contains(vote.TrialReasons(), reason) || limit == 0 {
			return strict.Refuse(field, "give one of %v and a rate above 0", vote.TrialReasons())
		}
		if err := checkRate(field, limit); err != nil {
			return err
		}
	}
	for _, r := range g.ReportOnly {
		if !slices.Contains(Rules, r) {
			return strict.Refuse(path+".reportOnly", "%q is not a rule: use %v", r, Rules)
		}
	}
	return nil
}

// checkRate keeps rates where the tests mean something: twice the rate is
// still a rate.
func checkRate(field string, rate manifests.SharePPM) error {
	if rate > manifests.WholeFleet/2 {
		return strict.Refuse(field, "is %d; at most 500000 parts per million (half)", rate)
	}
	return nil
}

// Budget bounds how many handsets a bad build may harm before it is stopped:
// the first stage is no larger than the budget, and a stage is left only when
// the failure rate is known to be low enough that the next one keeps it.
type Budget struct {
	MaxHarmed uint32 `json:"maxHarmed"` // handsets
	Fleet     uint64 `json:"fleet"`     // handsets that the audience holds, as its author knows
}

// maxFleet is more handsets than there are people to hold them.
const maxFleet = 100_000_000_000

// Handsets is how many of the fleet a share is, rounded up.
func (b *Budget) Handsets(share manifests.SharePPM) uint64 {
	whole := uint64(manifests.WholeFleet)
	return b.Fleet/whole*uint64(share) + (b.Fleet%whole*uint64(share)+whole-1)/whole
}

// PassFor is the highest failure rate that must be ruled out before a stage of
// this share is entered, in parts per million; 0 if no rate is low enough.
func (b *Budget) PassFor(share manifests.SharePPM) manifests.SharePPM {
	limit := uint64(b.MaxHarmed) * uint64(manifests.WholeFleet) / max(1, b.Handsets(share))
	return manifests.SharePPM(min(limit, uint64(manifests.WholeFleet)-1))
}

// check refuses a plan that cannot keep its budget.
func (b *Budget) check(p *Plan) error {
	if b.MaxHarmed == 0 || b.Fleet == 0 || b.Fleet > maxFleet {
		return strict.Refuse("budget", "give maxHarmed and fleet, both above 0 handsets")
	}
	if n := b.Handsets(p.Stages[0].Share); n > uint64(b.MaxHarmed) {
		return strict.Refuse("stages[0].sharePPM", "opens to %d handsets; before anything is known all of them may be harmed, and the budget is %d", n, b.MaxHarmed)
	}
	for i := 1; i < len(p.Stages); i++ {
		may, must := b.PassFor(p.Stages[i].Share), p.PassLimit(i-1)
		if must > may {
			return strict.Refuse(fmt.Sprintf("stages[%d].passPPM", i-1), "leaves the stage once a failure rate of %d is ruled out; the next stage is %d handsets, so %d keeps the budget of %d",
				must, b.Handsets(p.Stages[i].Share), may, b.MaxHarmed)
		}
	}
	return nil
}
