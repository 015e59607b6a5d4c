package verdict

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"pgregory.net/rapid"
)

var defaults = Rules{MinToHalt: 5, Pass: rollout.DefaultFailures}

// trials are the counts of so many trials of which so many failed; every
// attempt was followed by its trial.
func trials(failed, n int64, reasons map[vote.Reason]int64) Counts {
	return Counts{Attempts: n, Due: n, Trials: n, Healthy: n - failed, RolledBack: failed, Reasons: reasons}
}

func with(c Counts, change func(*Counts)) Counts {
	change(&c)
	return c
}

func finding(v Verdict, r rollout.Rule) *Finding {
	for i := range v.Findings {
		if v.Findings[i].Rule == r {
			return &v.Findings[i]
		}
	}
	return nil
}

var boots = rollout.Guard{Reasons: map[vote.Reason]manifests.SharePPM{vote.BootLoop: 5_000}}

// Each rule is brought to each of its outcomes; none means that it does not
// speak.
func TestEveryRuleSaysWhatItProves(t *testing.T) {
	const none Outcome = ""
	good, before := trials(0, 1000, nil), trials(2, 1000, map[vote.Reason]int64{vote.BootLoop: 2})
	for _, c := range []struct {
		name    string
		guard   rollout.Guard
		e       Evidence
		rule    rollout.Rule
		is, all Outcome
	}{
		{"no failures", rollout.Guard{}, Evidence{Counts: good}, rollout.RuleFailures, Pass, Pass},
		{"too few votes", rollout.Guard{}, Evidence{Counts: trials(0, 50, nil)}, rollout.RuleFailures, Undecided, Undecided},
		{"4 in 12", rollout.Guard{}, Evidence{Counts: trials(4, 12, nil)}, rollout.RuleFailures, Halt, Halt},
		{"4 in 13", rollout.Guard{}, Evidence{Counts: trials(4, 13, nil)}, rollout.RuleFailures, Undecided, Undecided},
		{"4 in 4 are fewer than five votes", rollout.Guard{}, Evidence{Counts: trials(4, 4, nil)}, rollout.RuleFailures, Undecided, Undecided},
		{"nothing yet", rollout.Guard{}, Evidence{}, rollout.RuleFailures, Undecided, Undecided},

		{"reason without failures", boots, Evidence{Counts: good}, rollout.RuleReason, Pass, Pass},
		{"reason among few", boots, Evidence{Counts: trials(0, 150, nil)}, rollout.RuleReason, Undecided, Undecided},
		{"reason beyond its limit", boots, Evidence{Counts: trials(8, 500, map[vote.Reason]int64{vote.BootLoop: 8})}, rollout.RuleReason, Halt, Halt},
		{"reason without a limit", rollout.Guard{}, Evidence{Counts: trials(5, 1000, map[vote.Reason]int64{vote.BootLoop: 5})}, rollout.RuleReason, none, Pass},

		{"reason as before", rollout.Guard{}, Evidence{Counts: trials(2, 1000, map[vote.Reason]int64{vote.BootLoop: 2}), Before: &before}, rollout.RuleNewReason, Pass, Pass},
		{"new reason, more often", rollout.Guard{Failures: 100_000}, Evidence{Counts: trials(12, 400, map[vote.Reason]int64{vote.Verify: 12}), Before: &before}, rollout.RuleNewReason, Undecided, Undecided},
		{"new reason, far more often", rollout.Guard{NewReason: 20_000, Failures: 200_000}, Evidence{Counts: trials(20, 100, map[vote.Reason]int64{vote.Verify: 20}), Before: &before}, rollout.RuleNewReason, Halt, Halt},
		{"four of a new reason are too few", rollout.Guard{NewReason: 1_000, Failures: 200_000}, Evidence{Counts: trials(4, 50, map[vote.Reason]int64{vote.Verify: 4}), Before: &before}, rollout.RuleNewReason, Pass, Undecided},
		{"nothing to compare with", rollout.Guard{}, Evidence{Counts: trials(4, 13, map[vote.Reason]int64{vote.Verify: 4}), Before: &Counts{Trials: 99}}, rollout.RuleNewReason, none, Undecided},

		{"no later failures", rollout.Guard{}, Evidence{Counts: good}, rollout.RuleRegressions, none, Pass},
		{"one later failure in many", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Regressions = 1 })}, rollout.RuleRegressions, Pass, Pass},
		{"later failures at the limit", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Regressions = 20 })}, rollout.RuleRegressions, Undecided, Undecided},
		{"later failures beyond it", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Regressions = 60 })}, rollout.RuleRegressions, Halt, Halt},

		{"all were heard of", rollout.Guard{}, Evidence{Counts: good}, rollout.RuleSilence, Pass, Pass},
		{"few are silent", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Silent = 5 })}, rollout.RuleSilence, Pass, Pass},
		{"silent at the limit", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Silent = 10 })}, rollout.RuleSilence, Undecided, Undecided},
		{"silent beyond it", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Silent = 30 })}, rollout.RuleSilence, Halt, Halt},
		{"nothing is due", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Due = 0 })}, rollout.RuleSilence, Undecided, Undecided},
		{
			"a fleet that was as silent before",
			rollout.Guard{},
			Evidence{Counts: with(good, func(c *Counts) { c.Silent = 30 }), Before: &Counts{Due: 1000, Silent: 30}},
			rollout.RuleSilence, Pass, Pass,
		},

		{"all could install", rollout.Guard{}, Evidence{Counts: good}, rollout.RuleRefusals, none, Pass},
		{"many could not install", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.NotTried = 900 })}, rollout.RuleRefusals, Undecided, Undecided},

		{"most of the expected began", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Issued = 1100 }), Share: manifests.WholeFleet}, rollout.RuleUnheard, none, Pass},
		{"most of the expected did not", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Issued = 9000 }), Share: manifests.WholeFleet}, rollout.RuleUnheard, Undecided, Undecided},
		{"tokens of revoked batches do not count", rollout.Guard{}, Evidence{Counts: with(good, func(c *Counts) { c.Issued, c.Revoked = 9000, 8000 }), Share: manifests.WholeFleet}, rollout.RuleUnheard, none, Pass},

		{"one lab handset failed", rollout.Guard{}, Evidence{Counts: good, Lab: []LabFailure{{Handset: "a1", Class: vote.Trial, Reason: vote.BootLoop}}}, rollout.RuleLab, Halt, Halt},
	} {
		v := Judge(Rules{Guard: c.guard, MinToHalt: 5, Pass: c.guard.FailureLimit()}, c.e)
		f := finding(v, c.rule)
		if v.Outcome != c.all || (f == nil) != (c.is == none) || f != nil && f.Outcome != c.is {
			t.Errorf("%s: %s (%s), want %s; the rule says %+v, want %q", c.name, v.Outcome, v.Sentence, c.all, f, c.is)
		}
	}
}

// As many votes as were signed, not five.
func TestHaltWaitsForTheVotesThatTheReleaseSigns(t *testing.T) {
	r := defaults
	r.MinToHalt = 30
	if v := Judge(r, Evidence{Counts: trials(29, 29, nil)}); v.Outcome != Undecided {
		t.Errorf("29 failures in 29 are %s; the release signs 30", v.Outcome)
	}
	if v := Judge(r, Evidence{Counts: trials(30, 30, nil)}); v.Outcome != Halt {
		t.Errorf("30 failures in 30 are %s", v.Outcome)
	}
}

func TestNoDataNeverPasses(t *testing.T) {
	for _, c := range []Counts{{}, {Issued: 10}, {Attempts: 1000}, {Declined: 1000}, {NotTried: 3}, trials(0, 1, nil)} {
		for _, limit := range limits {
			r := Rules{Guard: rollout.Guard{Failures: limit, Silence: limit}, MinToHalt: 5, Pass: limit}
			if v := Judge(r, Evidence{Counts: c, Share: manifests.WholeFleet}); v.Outcome != Undecided {
				t.Errorf("%+v under %s is %s", c, limit, v.Outcome)
			}
		}
	}
}

func TestSentencesSayWhatIsKnown(t *testing.T) {
	before := trials(1, 500, map[vote.Reason]int64{vote.Power: 1})
	for _, c := range []struct {
		guard rollout.Guard
		e     Evidence
		want  string
	}{
		{rollout.Guard{}, Evidence{}, "no outcomes yet; no attempt is old enough to be missed"},
		{rollout.Guard{}, Evidence{Counts: trials(1, 3, nil)}, "1 failure in 3 outcomes; 95 % sure that the failure rate is below 92 %, 2 % is needed"},
		{rollout.Guard{}, Evidence{Counts: trials(1, 1, nil)}, "1 failure in 1 outcome; nothing is proved yet"},
		{rollout.Guard{}, Evidence{Counts: trials(4, 12, nil)}, "4 failures in 12 outcomes: more than the 2 % that is accepted"},
		{rollout.Guard{}, Evidence{Counts: trials(2, 412, nil)}, "2 failures in 412 outcomes; 95 % sure that the failure rate is below 1.96 %"},
		{rollout.Guard{}, Evidence{Counts: trials(2, 250, nil)}, "2 failures in 250 outcomes; 95 % sure that the failure rate is below 3.2 %, 2 % is needed"},
		{rollout.Guard{}, Evidence{Counts: with(trials(0, 1000, nil), func(c *Counts) { c.Silent = 30 })}, "30 of 1000 attempts were never heard of again, 1 % is accepted"},
		{
			rollout.Guard{},
			Evidence{Lab: []LabFailure{{Handset: "c0ffee", Class: vote.Regression, Reason: vote.BootLoop, At: time.Unix(1, 0)}}},
			"lab handset c0ffee reports a later failure for boot_loop",
		},
		{
			rollout.Guard{NewReason: 20_000, Failures: 200_000},
			Evidence{Counts: trials(20, 100, map[vote.Reason]int64{vote.Verify: 20}), Before: &before},
			"20 failures for verify in 100 outcomes; the release before had 0 in 500",
		},
	} {
		if v := Judge(Rules{Guard: c.guard, MinToHalt: 5, Pass: c.guard.FailureLimit()}, c.e); v.Sentence != c.want {
			t.Errorf("%+v:\ngot  %s\nwant %s", c.e.Counts, v.Sentence, c.want)
		}
	}
}

func TestSinceIsNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, old := drawEvidence(t, "now").Counts, drawEvidence(t, "old").Counts
		d := now.Since(old)
		for _, n := range append(numbers(d), slices.Collect(maps.Values(d.Reasons))...) {
			if n < 0 {
				t.Fatalf("%+v since %+v is %+v", now, old, d)
			}
		}
		whole := now.Since(Counts{})
		if !slices.Equal(numbers(whole), numbers(now)) {
			t.Errorf("since nothing, %+v is %+v", now, whole)
		}
		none := now.Since(now)
		if slices.Max(numbers(none)) != 0 || len(none.Reasons) != 0 {
			t.Errorf("since itself, %+v is %+v", now, none)
		}
	})
}

func numbers(c Counts) []int64 {
	return []int64{c.Attempts, c.Trials, c.Healthy, c.RolledBack, c.Regressions, c.Declined, c.NotTried, c.Due, c.Silent, c.Issued, c.Revoked}
}

// drawEvidence gives evidence of any kind, however unlikely; only no reason is
// given by more trials than there are.
func drawEvidence(t *rapid.T, label string) Evidence {
	number := rapid.OneOf(rapid.Int64Range(0, 30), rapid.Int64Range(0, 5_000), rapid.Int64Range(0, 1<<40))
	draw := func(what string) int64 { return number.Draw(t, label+" "+what) }
	reasons := func(what string) map[vote.Reason]int64 {
		return rapid.MapOf(rapid.SampledFrom(vote.TrialReasons()), number).Draw(t, label+" "+what)
	}
	c := func(what string) Counts {
		c := Counts{
			Attempts: draw(what + " attempts"), Trials: draw(what + " trials"), Healthy: draw(what + " healthy"), RolledBack: draw(what + " rolled back"),
			Regressions: draw(what + " regressions"), Declined: draw(what + " declined"), NotTried: draw(what + " not tried"), Reasons: reasons(what + " reasons"),
			Due: draw(what + " due"), Silent: draw(what + " silent"), Issued: draw(what + " issued"), Revoked: draw(what + " revoked"),
		}
		for _, n := range c.Reasons {
			c.Trials = max(c.Trials, n)
		}
		return c
	}
	e := Evidence{Counts: c("counts"), Share: manifests.SharePPM(rapid.Uint32Range(0, uint32(manifests.WholeFleet)).Draw(t, label+" share"))}
	if rapid.Bool().Draw(t, label+" has a release before") {
		e.Before = new(c("before"))
	}
	return e
}

func drawRules(t *rapid.T) Rules {
	limit := rapid.OneOf(rapid.Just(uint32(0)), rapid.Uint32Range(1, 50_000), rapid.Uint32Range(1, uint32(manifests.WholeFleet/2)))
	draw := func(what string) manifests.SharePPM { return manifests.SharePPM(limit.Draw(t, what)) }
	g := rollout.Guard{
		Failures: draw("failures"), Silence: draw("silence"), Regressions: draw("regressions"), Refusals: draw("refusals"), Unheard: draw("unheard"), NewReason: draw("new reason"),
		Reasons:    map[vote.Reason]manifests.SharePPM{},
		ReportOnly: rapid.SliceOfDistinct(rapid.SampledFrom(rollout.Rules), rapid.ID).Draw(t, "report only"),
	}
	for _, r := range rapid.SliceOfDistinct(rapid.SampledFrom(vote.TrialReasons()), rapid.ID).Draw(t, "reasons") {
		g.Reasons[r] = max(1, draw("limit of "+string(r)))
	}
	return Rules{Guard: g, MinToHalt: rapid.Uint32Range(5, 200).Draw(t, "min to halt"), Pass: g.FailureLimit()}
}

// Whatever is counted: Judge does not panic, a halt rests on as many votes as
// are signed, and the outcome follows from the findings that are not reports.
func TestHaltAlwaysRestsOnEnoughVotes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, e := drawRules(t), drawEvidence(t, "evidence")
		v := Judge(r, e)
		want := Pass
		for _, f := range v.Findings {
			if f.Outcome == Halt && f.Of < int64(r.MinToHalt) {
				t.Errorf("%s halts on %d votes, %d are needed", f.Rule, f.Of, r.MinToHalt)
			}
			if f.Sentence == "" || f.Reports != r.Guard.Reports(f.Rule) {
				t.Errorf("%+v is not told rightly", f)
			}
			if f.Outcome == Halt && (f.Rule == rollout.RuleRefusals || f.Rule == rollout.RuleUnheard) {
				t.Errorf("%s halts; it rests on what costs nothing", f.Rule)
			}
			switch {
			case f.Reports:
			case f.Outcome == Halt:
				want = Halt
			case f.Outcome == Undecided && want == Pass:
				want = Undecided
			}
		}
		if v.Outcome != want {
			t.Errorf("the findings make %s, the verdict is %s", want, v.Outcome)
		}
		if v.Outcome == Halt && v.Sentence == "" {
			t.Error("a halt without a reason")
		}
	})
}

// The simulator does not ask again while only successes come in. They halt
// nothing, once there are as many votes as a halt needs.
func TestSuccessesNeverHalt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, e := drawRules(t), drawEvidence(t, "evidence")
		least := int64(r.MinToHalt)
		e.Counts.Trials, e.Counts.Healthy, e.Counts.Due = max(e.Counts.Trials, least), max(e.Counts.Healthy, least), max(e.Counts.Due, least)
		if Judge(r, e).Outcome == Halt {
			return
		}
		more := rapid.Int64Range(1, 10_000).Draw(t, "more")
		e.Counts.Trials, e.Counts.Healthy = e.Counts.Trials+more, e.Counts.Healthy+more
		e.Counts.Silent, e.Counts.Attempts = max(0, e.Counts.Silent-more), e.Counts.Attempts+more
		e.Counts.Issued += more
		if v := Judge(r, e); v.Outcome == Halt {
			t.Errorf("%d more successes halt it: %s", more, v.Sentence)
		}
	})
}

func TestReportOnlyRulesNeitherHaltNorHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, e := drawRules(t), drawEvidence(t, "evidence")
		r.Guard.ReportOnly = rollout.Rules
		e.Lab = []LabFailure{{Handset: "a1", Class: vote.Trial, Reason: vote.BootLoop}}
		if v := Judge(r, e); v.Outcome != Pass {
			t.Errorf("rules that only report make it %s: %s", v.Outcome, v.Sentence)
		}
	})
}

func TestMoreTrialsThanCanBeCountedDoNotPanic(t *testing.T) {
	for _, n := range []int64{math.MaxInt64, math.MinInt64, -1} {
		c := Counts{Attempts: n, Trials: n, RolledBack: n, Regressions: n, Healthy: n, NotTried: n, Due: n, Silent: n, Issued: n, Reasons: map[vote.Reason]int64{vote.BootLoop: n}}
		Judge(defaults, Evidence{Counts: c, Before: &c, Share: manifests.WholeFleet})
		UpperBound(n, n)
	}
}
