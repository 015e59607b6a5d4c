package verdict

import (
	"fmt"
	"maps"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// lab halts on one failure: the handset says who it is, and an operator who
// does not believe it mutes it.
func lab(_ Rules, e Evidence) []Finding {
	if len(e.Lab) == 0 {
		return nil
	}
	first := e.Lab[0]
	return []Finding{{
		Rule: rollout.RuleLab, Outcome: Halt, Failed: int64(len(e.Lab)), Of: int64(len(e.Lab)), Reason: first.Reason,
		Sentence: fmt.Sprintf("lab handset %s reports a %s for %s", first.Handset, failureOf(first.Class), first.Reason),
	}}
}

func failureOf(c vote.Class) string {
	if c == vote.Regression {
		return "later failure"
	}
	return "failed trial"
}

// test judges k of n by a limit: halt by one test, pass by the other.
func test(r Rules, k, n int64, limit, pass manifests.SharePPM) Outcome {
	switch {
	case n >= int64(r.MinToHalt) && halts(k, n, rate(limit)):
		return Halt
	case above(k, n, uint32(pass)) && passes(k, n, rate(pass)):
		return Pass
	}
	return Undecided
}

func failures(r Rules, e Evidence) []Finding {
	k, n := e.Counts.RolledBack, e.Counts.Trials
	f := Finding{
		Rule: rollout.RuleFailures, Failed: k, Of: n, Limit: r.Guard.FailureLimit(), Below: UpperBound(k, n),
		Outcome: test(r, k, n, r.Guard.FailureLimit(), r.Pass),
	}
	f.Sentence = fmt.Sprintf("%s in %s", count(k, "failure"), count(n, "outcome"))
	switch {
	case f.Outcome == Halt:
		f.Sentence += fmt.Sprintf(": more than the %s that is accepted", f.Limit)
	case n == 0:
		f.Sentence = "no outcomes yet"
	case f.Below < manifests.WholeFleet:
		f.Sentence += fmt.Sprintf("; %d %% sure that the failure rate is below %s", Confidence, rounded(f.Below))
		if f.Outcome == Undecided {
			f.Sentence += fmt.Sprintf(", %s is needed", r.Pass)
		}
	default:
		f.Sentence += "; nothing is proved yet"
	}
	return []Finding{f}
}

// reasons judges those failures for which the guard has a limit.
func reasons(r Rules, e Evidence) []Finding {
	var out []Finding
	for _, reason := range slices.Sorted(maps.Keys(r.Guard.Reasons)) {
		k, n, limit := e.Counts.Reasons[reason], e.Counts.Trials, r.Guard.Reasons[reason]
		f := Finding{Rule: rollout.RuleReason, Reason: reason, Failed: k, Of: n, Limit: limit, Outcome: test(r, k, n, limit, limit)}
		f.Sentence = fmt.Sprintf("%s for %s in %s, %s is accepted", count(k, "failure"), reason, count(n, "outcome"), limit)
		out = append(out, f)
	}
	return out
}

// comparable is how many trials the release before must have had.
const comparable = 100

// newReasons compares with the release before: a reason that it had rarely or
// never halts by the limit for new reasons; below that, but surely more often
// than before, it holds the rollout until a person has looked.
func newReasons(r Rules, e Evidence) []Finding {
	if e.Before == nil || e.Before.Trials < comparable {
		return nil
	}
	var out []Finding
	for _, reason := range slices.Sorted(maps.Keys(e.Counts.Reasons)) {
		k, n := e.Counts.Reasons[reason], e.Counts.Trials
		// Laplace's estimate: a reason that never came up may still be one in so many.
		before := float64(e.Before.Reasons[reason]+1) / float64(e.Before.Trials+2)
		limit := max(rate(r.Guard.NewReasonLimit()), 4*before)
		f := Finding{Rule: rollout.RuleNewReason, Reason: reason, Failed: k, Of: n, Limit: manifests.SharePPM(limit * float64(manifests.WholeFleet)), Outcome: Pass}
		f.Sentence = fmt.Sprintf("%s for %s in %s; the release before had %d in %d",
			count(k, "failure"), reason, count(n, "outcome"), e.Before.Reasons[reason], e.Before.Trials)
		switch {
		case k < int64(r.MinToHalt):
		case halts(k, n, limit):
			f.Outcome = Halt
		case halts(k, n, 2*before):
			f.Outcome = Undecided
			f.Sentence += "; somebody has to look"
		}
		out = append(out, f)
	}
	return out
}

func regressions(r Rules, e Evidence) []Finding {
	k, n := e.Counts.Regressions, max(e.Counts.Healthy, e.Counts.Regressions)
	if k == 0 {
		return nil
	}
	limit := r.Guard.RegressionLimit()
	f := Finding{Rule: rollout.RuleRegressions, Failed: k, Of: n, Limit: limit, Outcome: test(r, k, n, limit, limit)}
	f.Sentence = fmt.Sprintf("%s of %d handsets that had been healthy, %s is accepted", count(k, "later failure"), n, limit)
	return []Finding{f}
}

// silence judges attempts that nothing followed. Handsets that were merely
// switched off are silent too, so a fleet in which the release before left
// more silence than half the limit has its own measure: twice that.
func silence(r Rules, e Evidence) []Finding {
	k, n, limit := e.Counts.Silent, e.Counts.Due, r.Guard.SilenceLimit()
	if b := e.Before; b != nil && b.Due >= comparable {
		limit = max(limit, min(manifests.SharePPM(2*uint64(b.Silent)*uint64(manifests.WholeFleet)/uint64(b.Due)), manifests.WholeFleet/2))
	}
	f := Finding{Rule: rollout.RuleSilence, Failed: k, Of: n, Limit: limit, Outcome: Undecided}
	switch {
	case n == 0:
		f.Sentence = "no attempt is old enough to be missed"
		return []Finding{f}
	case n >= int64(r.MinToHalt) && halts(k, n, rate(limit)):
		f.Outcome = Halt
	case !above(k, n, uint32(limit)) && k > 0: // at the limit or beyond, though not surely
	default:
		f.Outcome = Pass
	}
	f.Sentence = fmt.Sprintf("%d of %s were never heard of again, %s is accepted", k, count(n, "attempt"), limit)
	return []Finding{f}
}

// refusals judges installations that did not come about. Nothing is harmed by
// them, and one who wants to stop a fix could claim them: they hold.
func refusals(r Rules, e Evidence) []Finding {
	k := e.Counts.NotTried
	n, limit := k+e.Counts.Attempts, r.Guard.RefusalLimit()
	if n < int64(r.MinToHalt) || above(k, n, uint32(limit)) {
		return nil
	}
	return []Finding{{
		Rule: rollout.RuleRefusals, Failed: k, Of: n, Limit: limit, Outcome: Undecided,
		Sentence: fmt.Sprintf("%d of %s could not install, %s is accepted", k, count(n, "handset"), limit),
	}}
}

// unheard compares with the tokens that were given out: of those handsets the
// share that is open should have begun. A token can be had for nothing, so
// this only holds.
func unheard(r Rules, e Evidence) []Finding {
	c := e.Counts
	expected := int64(float64(max(0, c.Issued-c.Revoked)) * rate(e.Share))
	heard := c.Attempts + c.NotTried + c.Declined
	limit := r.Guard.UnheardLimit()
	missing := max(0, expected-heard)
	if expected < 2*comparable || above(missing, expected, uint32(limit)) {
		return nil
	}
	return []Finding{{
		Rule: rollout.RuleUnheard, Failed: missing, Of: expected, Limit: limit, Outcome: Undecided,
		Sentence: fmt.Sprintf("%d of about %s have not begun", missing, count(expected, "handset")),
	}}
}

// rounded gives a bound to three digits, never below it.
func rounded(p manifests.SharePPM) manifests.SharePPM {
	unit := manifests.SharePPM(1)
	for p/unit >= 1000 {
		unit *= 10
	}
	return min((p+unit-1)/unit*unit, manifests.WholeFleet)
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
