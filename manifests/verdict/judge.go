package verdict

import (
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// Outcome is what is proved.
type Outcome string

// The outcomes. No data is Undecided, never Pass.
const (
	Pass      Outcome = "pass"
	Halt      Outcome = "halt"
	Undecided Outcome = "undecided"
)

// Counts are the votes about a build, counted since it was last resumed after
// a halt, or from the start.
type Counts struct {
	Attempts    int64                 `json:"attempts"`
	Trials      int64                 `json:"trials"` // Healthy + RolledBack
	Healthy     int64                 `json:"healthy"`
	RolledBack  int64                 `json:"rolledBack"`
	Regressions int64                 `json:"regressions"`
	Declined    int64                 `json:"declined"`
	NotTried    int64                 `json:"notTried"`          // refusals with outcome install_failed
	Reasons     map[vote.Reason]int64 `json:"reasons,omitempty"` // of RolledBack
	Due         int64                 `json:"due"`               // attempts older than the grace time
	Silent      int64                 `json:"silent"`            // of Due, those that no trial can stand for
	Issued      int64                 `json:"issued"`            // trial tokens given out
	Revoked     int64                 `json:"revoked,omitempty"` // of Issued, to batches revoked since
}

// Since gives what was counted after an earlier reading of the same counts.
func (c Counts) Since(old Counts) Counts {
	less := func(a, b int64) int64 { return max(0, a-b) }
	out := Counts{
		Attempts: less(c.Attempts, old.Attempts), Trials: less(c.Trials, old.Trials), Healthy: less(c.Healthy, old.Healthy),
		RolledBack: less(c.RolledBack, old.RolledBack), Regressions: less(c.Regressions, old.Regressions),
		Declined: less(c.Declined, old.Declined), NotTried: less(c.NotTried, old.NotTried),
		Due: less(c.Due, old.Due), Silent: less(c.Silent, old.Silent), Issued: less(c.Issued, old.Issued), Revoked: less(c.Revoked, old.Revoked),
		Reasons: map[vote.Reason]int64{},
	}
	for r, n := range c.Reasons {
		if n = less(n, old.Reasons[r]); n > 0 {
			out.Reasons[r] = n
		}
	}
	return out
}

// LabFailure is what a lab handset said by name: the build failed there.
type LabFailure struct {
	Handset string      `json:"handset"` // its device key, shortened
	Class   vote.Class  `json:"class"`
	Reason  vote.Reason `json:"reason"`
	At      time.Time   `json:"at"`
}

// Evidence is all that a verdict rests on.
type Evidence struct {
	Counts Counts             `json:"counts"`
	Share  manifests.SharePPM `json:"sharePPM"`      // that is open
	Lab    []LabFailure       `json:"lab,omitempty"` // of lab handsets that are not muted
	// Before are the counts of the release before; nil if there are none.
	Before *Counts `json:"before,omitempty"`
}

// Rules are the limits by which evidence is judged.
type Rules struct {
	Guard     rollout.Guard      `json:"guard"`
	MinToHalt uint32             `json:"minToHalt"` // the release's VoteRules
	Pass      manifests.SharePPM `json:"passPPM"`   // to be ruled out before the stage is left
}

// Finding is what one rule says.
type Finding struct {
	Rule     rollout.Rule       `json:"rule"`
	Outcome  Outcome            `json:"outcome"`
	Reports  bool               `json:"reportOnly,omitempty"` // it neither halts nor holds
	Reason   vote.Reason        `json:"reason,omitempty"`     // of the rules about reasons
	Failed   int64              `json:"failed"`
	Of       int64              `json:"of"`
	Limit    manifests.SharePPM `json:"limitPPM,omitempty"`
	Below    manifests.SharePPM `json:"belowPPM,omitempty"` // the rate is surely below this; 0: not said
	Sentence string             `json:"sentence"`
}

// Verdict is what all rules say together.
type Verdict struct {
	Outcome  Outcome   `json:"outcome"`
	Findings []Finding `json:"findings"` // in the order of rollout.Rules
	Sentence string    `json:"sentence"`
}

// Judge holds evidence against rules. A halt of any rule is a halt; a pass
// needs the pass of every rule.
func Judge(r Rules, e Evidence) Verdict {
	var findings []Finding
	for _, check := range []func(Rules, Evidence) []Finding{
		lab, failures, reasons, newReasons, regressions, silence, refusals, unheard,
	} {
		findings = append(findings, check(r, e)...)
	}
	v := Verdict{Outcome: Pass, Findings: findings}
	for i := range findings {
		f := &findings[i]
		f.Reports = r.Guard.Reports(f.Rule)
		if f.Reports {
			continue
		}
		switch {
		case f.Outcome == Halt && v.Outcome != Halt:
			v.Outcome, v.Sentence = Halt, f.Sentence
		case f.Outcome == Undecided && v.Outcome == Pass:
			v.Outcome = Undecided
		}
	}
	if v.Outcome != Halt {
		v.Sentence = summary(findings)
	}
	return v
}

// summary tells of the failures, then of whatever else is not passed.
func summary(findings []Finding) string {
	text := ""
	for _, f := range findings {
		if f.Rule == rollout.RuleFailures || f.Outcome != Pass && !f.Reports {
			if text != "" {
				text += "; "
			}
			text += f.Sentence
		}
	}
	return text
}
