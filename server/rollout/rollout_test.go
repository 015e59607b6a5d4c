package rollout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/rollout"
)

var (
	start = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)
	ana   = rollout.Person{ID: "ana@makers", Name: "Ana"}
	ben   = rollout.Person{ID: "ben@makers", Name: "Ben"}
	eva   = rollout.Person{ID: "eva@makers", Name: "Eva"}
)

func hours(n int) manifests.Duration {
	return manifests.Duration{Duration: time.Duration(n) * time.Hour}
}

// signed opens 1 % at once, 10 % after 12 h, everybody after 48 h.
func signed() *manifests.Release {
	return &manifests.Release{
		Product: "phone", Build: 42, NotBefore: manifests.At(start), OfferUntil: manifests.At(start.AddDate(0, 3, 0)),
		Pace:  []manifests.PaceStep{{MaxShare: 10_000}, {After: hours(12), MaxShare: 100_000}, {After: hours(48), MaxShare: manifests.WholeFleet}},
		Votes: manifests.VoteRules{MinToHalt: 5},
	}
}

func draft() rollout.Rollout {
	return rollout.Rollout{State: rollout.Draft, Author: ana, Plan: policy.Plan{Product: "phone", Build: 42, Stages: []policy.Stage{
		{Share: 10_000, Soak: hours(6), MinVotes: 10}, {Share: 100_000, Soak: hours(6)}, {Share: manifests.WholeFleet, Soak: hours(1), Approvals: 2},
	}}}
}

// votes are trials of which some failed, all attempts long due.
func votes(trials, failed int64) verdict.Evidence {
	return verdict.Evidence{Counts: verdict.Counts{
		Attempts: trials, Due: trials, Trials: trials, Healthy: trials - failed, RolledBack: failed, Reasons: map[vote.Reason]int64{vote.BootLoop: failed},
	}}
}

func after(h int) time.Time { return start.Add(time.Duration(h) * time.Hour) }

func at(h int) rollout.Facts {
	return rollout.Facts{
		Now: after(h), By: ana, Reason: "because",
		Evidence: rollout.Evidence{Release: signed(), Votes: votes(1000, 0), ApprovalShare: rollout.DefaultApprovalShare},
	}
}

func by(p rollout.Person, f rollout.Facts) rollout.Facts {
	f.By = p
	return f
}

func apply(t *testing.T, r rollout.Rollout, a rollout.Action, f rollout.Facts) rollout.Rollout {
	t.Helper()
	next, err := r.Apply(a, f)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return next
}

// refused gives what a refusal says.
func refused(t *testing.T, r rollout.Rollout, a rollout.Action, f rollout.Facts, code string) string {
	t.Helper()
	_, err := r.Apply(a, f)
	var refusal *rollout.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Fatalf("%s: got %v, want %s", a, err, code)
	}
	return refusal.Detail
}

func TestAdvanceWaitsForSoakVotesAndPace(t *testing.T) {
	r := apply(t, draft(), rollout.Start, at(0))
	refused(t, r, rollout.Advance, at(5), api.CodeSoaking)
	few := at(6)
	few.Votes = votes(9, 0)
	refused(t, r, rollout.Advance, few, api.CodeVotesNeeded)
	if words := refused(t, r, rollout.Advance, at(6), api.CodePace); !strings.Contains(words, "2014-08-11T00:00:00Z") {
		t.Errorf("does not say from when: %s", words)
	}
	if r = apply(t, r, rollout.Advance, at(12)); r.Stage != 1 || r.Share() != 100_000 {
		t.Errorf("stage %d, share %s", r.Stage, r.Share())
	}
}

func TestPersonGoesAheadOfTheVerdictWithAReasonButNeverAgainstIt(t *testing.T) {
	r := apply(t, draft(), rollout.Start, at(0))
	f := at(12)
	f.Votes = votes(20, 0)
	f.Reason = ""
	refused(t, r, rollout.Advance, f, api.CodeUndecided)
	f.Reason = "the lab has run it for a month"
	if got := apply(t, r, rollout.Advance, f); got.Stage != 1 {
		t.Errorf("%+v", got)
	}
	f.Votes = votes(100, 20)
	f.BreakGlass = true
	refused(t, r, rollout.Advance, f, api.CodeUndecided)
}

func TestWideningPastTheApprovalShareTakesTwoPeople(t *testing.T) {
	r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Advance, at(12))
	refused(t, r, rollout.Advance, at(60), api.CodeApprovalNeeded)
	refused(t, r, rollout.Approve, at(60), api.CodeOwnRequest) // who asked for it
	r = apply(t, r, rollout.Approve, by(ben, at(60)))
	refused(t, r, rollout.Approve, by(ben, at(60)), api.CodeOwnRequest) // one person counts once
	if r = apply(t, r, rollout.Advance, at(60)); r.Stage != 2 {
		t.Fatalf("%+v", r)
	}
	if r = apply(t, r, rollout.Advance, at(61)); r.State != policy.Complete || r.Share() != manifests.WholeFleet {
		t.Errorf("%+v", r)
	}
}

func TestSecondPersonWhoAdvancesIsTheSecondPerson(t *testing.T) {
	r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Advance, at(12))
	if r = apply(t, r, rollout.Advance, by(ben, at(60))); r.Stage != 2 || len(r.People(2)) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestAuthorNeverApprovesWhoeverProposed(t *testing.T) {
	d := draft()
	d.Plan.Stages = d.Plan.Stages[2:] // all at once
	r := apply(t, d, rollout.Propose, by(ben, at(48)))
	if r.State != rollout.Proposed {
		t.Fatalf("%s", r.State)
	}
	refused(t, r, rollout.Approve, at(48), api.CodeOwnRequest)          // ana wrote it
	refused(t, r, rollout.Approve, by(ben, at(48)), api.CodeOwnRequest) // ben proposed it
	refused(t, r, rollout.Start, by(ben, at(48)), api.CodeApprovalNeeded)
	if r = apply(t, r, rollout.Approve, by(eva, at(48))); r.State != rollout.Approved {
		t.Fatalf("%s", r.State)
	}
	if back := apply(t, r, rollout.Reject, by(eva, at(48))); back.State != rollout.Draft || len(back.Approvals) != 0 || back.Proposer.ID != "" {
		t.Errorf("a rejection leaves %+v", back)
	}
	if r = apply(t, r, rollout.Start, at(48)); r.State != policy.Active {
		t.Errorf("%s", r.State)
	}
}

func TestApprovalOfAStageIsForNoLaterOne(t *testing.T) {
	d := draft()
	d.Plan.Stages[1].Share, d.Plan.Stages[1].Approvals = 90_000, 2
	r := apply(t, d, rollout.Start, at(0))
	f, one := by(ben, at(1)), 1
	f.UpTo = &one
	r = apply(t, r, rollout.Approve, f)
	if r.Missing(1, f.ApprovalShare) != 0 || r.Missing(2, f.ApprovalShare) != 1 {
		t.Errorf("missing %d and %d", r.Missing(1, f.ApprovalShare), r.Missing(2, f.ApprovalShare))
	}
	none := 3
	f.UpTo = &none
	refused(t, r, rollout.Approve, f, api.CodeBadRequest)
}

func TestGlassOnceBrokenPassesPeopleSoakAndVotesButNotThePace(t *testing.T) {
	d := draft()
	f := at(0)
	f.BreakGlass, f.Reason = true, ""
	refused(t, d, rollout.Start, f, api.CodeReasonNeeded)
	f.Reason = "a worm is out"
	r := apply(t, d, rollout.Start, f)
	f.Votes = votes(0, 0)
	refused(t, r, rollout.Advance, f, api.CodePace)
	f.Now = after(12)
	if r = apply(t, r, rollout.Advance, f); r.Stage != 1 {
		t.Fatalf("%+v", r)
	}
	f.Now = after(48)
	if r = apply(t, r, rollout.Advance, f); r.Stage != 2 || len(r.BreakGlass) != 3 || r.BreakGlass[2].Why != "a worm is out" {
		t.Errorf("%+v", r.BreakGlass)
	}
}

func TestHaltNeedsOnePersonAndNoConfirmation(t *testing.T) {
	for _, f := range []rollout.Facts{at(1), {Now: start, By: ana, Reason: "bricks"}} { // also with nothing else known
		r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Halt, f)
		if r.State != policy.Halted {
			t.Errorf("%+v", r)
		}
		if again := apply(t, r, rollout.Halt, f); again.State != policy.Halted {
			t.Errorf("halted twice: %+v", again)
		}
		for _, a := range []rollout.Action{rollout.Start, rollout.Advance, rollout.Pause} {
			refused(t, r, a, at(2), api.CodeConflict)
		}
	}
}

func TestWrongHaltIsTakenBackByTwoPeopleAndJudgedAnew(t *testing.T) {
	why := at(1)
	why.Reason = "why it was halted"
	r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Halt, why)
	refused(t, r, rollout.Reject, at(2), api.CodeConflict)
	bad := at(2)
	bad.Votes = votes(20, 10)
	r = apply(t, r, rollout.Resume, bad)
	if r.State != policy.Halted || r.Resume == nil {
		t.Fatalf("one person resumed it: %+v", r)
	}
	if r.Reason != "why it was halted" {
		t.Errorf("owners would read %q as the reason", r.Reason)
	}
	refused(t, r, rollout.Resume, bad, api.CodeOwnRequest)
	refused(t, r, rollout.Approve, bad, api.CodeOwnRequest)
	r = apply(t, r, rollout.Approve, by(ben, bad))
	if r.State != policy.Active || !r.StageSince.Equal(bad.Now) {
		t.Fatalf("%+v", r)
	}
	if d := rollout.Next(&r, bad.Evidence, after(3)); d.Action != "" {
		t.Errorf("the votes of before the resumption count: %+v", d)
	}
	worse := bad.Evidence
	worse.Votes = votes(40, 20)
	if d := rollout.Next(&r, worse, after(3)); d.Action != rollout.Halt {
		t.Errorf("later votes do not count: %+v", d)
	}
}

func TestReasonIsNeededToPauseResumeRejectAndHalt(t *testing.T) {
	opened := apply(t, draft(), rollout.Start, at(0))
	paused := apply(t, opened, rollout.Pause, at(1))
	for _, c := range []struct {
		a rollout.Action
		r rollout.Rollout
	}{
		{rollout.Pause, opened},
		{rollout.Halt, opened},
		{rollout.Resume, paused},
		{rollout.Abandon, draft()},
		{rollout.Reject, apply(t, draft(), rollout.Propose, at(0))},
	} {
		f := at(1)
		f.Reason = " "
		refused(t, c.r, c.a, f, api.CodeReasonNeeded)
		f.Reason = "safe\u202eexe"
		refused(t, c.r, c.a, f, api.CodeBadRequest)
		f.Reason = strings.Repeat("a", 501)
		refused(t, c.r, c.a, f, api.CodeBadRequest)
	}
}

func TestResumeSoaksAnew(t *testing.T) {
	r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Pause, at(1))
	r = apply(t, r, rollout.Resume, at(20))
	refused(t, r, rollout.Advance, at(25), api.CodeSoaking)
}

func TestWithdrawnOrExpiredBuildDoesNotStart(t *testing.T) {
	f := at(0)
	f.Release = nil
	refused(t, draft(), rollout.Start, f, api.CodeConflict)
	refused(t, draft(), rollout.Start, at(24*200), api.CodeConflict)
	refused(t, draft(), rollout.Start, at(-1), api.CodePace)
}

func TestScheduledBeginsByItselfAtItsTimeAndNotBefore(t *testing.T) {
	d := draft()
	begins := manifests.At(after(5))
	d.Plan.Start = &begins
	r := apply(t, d, rollout.Start, at(0))
	if r.State != policy.Scheduled || r.Share() != 0 {
		t.Fatalf("%s, %s", r.State, r.Share())
	}
	known := at(0).Evidence
	early := rollout.Next(&r, known, after(4))
	if early.Action != "" || !strings.Contains(early.Sentence, "in 1 h unless") {
		t.Errorf("%+v", early)
	}
	due := rollout.Next(&r, known, after(5))
	if due.Action != rollout.Start {
		t.Fatalf("%+v", due)
	}
	if r = r.Decided(due, after(5)); r.State != policy.Active || r.Stage != 0 || !r.StageSince.Equal(after(5)) {
		t.Errorf("%+v", r)
	}
}

func TestEngineAdvancesOnAPassAndOnNothingElse(t *testing.T) {
	r := apply(t, draft(), rollout.Start, at(0))
	good := at(0).Evidence
	for name, c := range map[string]struct {
		hour   int
		spoil  func(*rollout.Rollout, *rollout.Evidence)
		code   string
		action rollout.Action
	}{
		"a pass":                   {hour: 13, action: rollout.Advance},
		"soaking":                  {hour: 5, code: api.CodeSoaking},
		"pace":                     {hour: 7, code: api.CodePace},
		"no votes at all":          {hour: 13, code: api.CodeUndecided, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Votes = verdict.Evidence{} }},
		"too few votes":            {hour: 13, code: api.CodeVotesNeeded, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Votes = votes(9, 0) }},
		"votes that prove nothing": {hour: 13, code: api.CodeUndecided, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Votes = votes(100, 1) }},
		"silence":                  {hour: 13, code: api.CodeUndecided, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Votes.Counts.Due, e.Votes.Counts.Silent = 400, 5 }},
		"too much silence":         {hour: 1, action: rollout.Halt, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Votes.Counts.Due, e.Votes.Counts.Silent = 400, 40 }},
		"failures":                 {hour: 1, action: rollout.Halt, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Votes = votes(8, 4) }},
		"failures, clock back":     {hour: -50, action: rollout.Halt, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Votes = votes(8, 4) }},
		"clock back":               {hour: -1, code: api.CodeClock},
		"withdrawn":                {hour: 13, code: api.CodeConflict, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) { e.Release = nil }},
		"manual":                   {hour: 13, code: api.CodeManual, spoil: func(r *rollout.Rollout, _ *rollout.Evidence) { r.Plan.Advance = policy.Manual }},
		"lab": {hour: 1, action: rollout.Halt, spoil: func(_ *rollout.Rollout, e *rollout.Evidence) {
			e.Votes.Lab = []verdict.LabFailure{{Handset: "a1b2c3", Class: vote.Trial, Reason: vote.BootLoop, At: after(1)}}
		}},
		"approvals": {hour: 60, code: api.CodeApprovalNeeded, spoil: func(r *rollout.Rollout, _ *rollout.Evidence) { r.Stage = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			r, known := r, good
			if c.spoil != nil {
				c.spoil(&r, &known)
			}
			d := rollout.Next(&r, known, after(c.hour))
			if d.Action != c.action || d.Sentence == "" {
				t.Fatalf("%+v", d)
			}
			if c.action != "" {
				if c.action == rollout.Halt && d.Reason == "" {
					t.Error("no reason")
				}
				return
			}
			for _, w := range d.Waits {
				if w.Code == c.code {
					return
				}
			}
			t.Errorf("does not wait for %s: %+v", c.code, d.Waits)
		})
	}
}

// Handsets report the attempt and then wait for the window: without the day
// more all of them look silent.
func TestWindowLengthensTheGrace(t *testing.T) {
	p := draft().Plan
	if got := rollout.Grace(&p, 24*time.Hour); got != 24*time.Hour {
		t.Error(got)
	}
	p.Window = &policy.Window{From: 120, To: 300}
	if got := rollout.Grace(&p, 24*time.Hour); got != 48*time.Hour {
		t.Error(got)
	}
	p.Guard.Grace = hours(30)
	if got := rollout.Grace(&p, 24*time.Hour); got != 30*time.Hour {
		t.Error(got)
	}
}

func TestCompleteRolloutIsStillHalted(t *testing.T) {
	r := draft()
	r.State, r.Stage = policy.Complete, 2
	known := at(100).Evidence
	if d := rollout.Next(&r, known, after(100)); d.Action != "" {
		t.Errorf("%+v", d)
	}
	known.Votes.Counts.Regressions = 100
	if d := rollout.Next(&r, known, after(100)); d.Action != rollout.Halt {
		t.Errorf("%+v", d)
	}
}

func TestStateIsSaidInOneSentence(t *testing.T) {
	r := apply(t, draft(), rollout.Start, at(0))
	known := at(0).Evidence
	known.Votes = votes(412, 2)
	d := rollout.Next(&r, known, after(0).Add(2*time.Hour+50*time.Minute))
	const want = "2 failures in 412 outcomes; 95 % sure that the failure rate is below 1.96 %; next stage in 9 h 10 m unless halted"
	if d.Sentence != want {
		t.Errorf("%s", d.Sentence)
	}
}

// TestShareNeverShrinksNorPassesThePace throws random actions and engine
// ticks at a rollout.
func TestShareNeverShrinksNorPassesThePace(t *testing.T) {
	people := []rollout.Person{ana, ben, eva}
	rapid.Check(t, func(t *rapid.T) {
		r, hour := draft(), 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			hour += rapid.IntRange(0, 20).Draw(t, "wait")
			f := by(rapid.SampledFrom(people).Draw(t, "by"), at(hour))
			n := int64(rapid.IntRange(0, 500).Draw(t, "trials"))
			f.Votes = votes(n, int64(rapid.IntRange(0, int(n/50)).Draw(t, "failed")))
			f.BreakGlass = rapid.IntRange(0, 9).Draw(t, "glass") == 0
			var next rollout.Rollout
			if rapid.Bool().Draw(t, "tick") {
				next = r.Decided(rollout.Next(&r, f.Evidence, f.Now), f.Now)
			} else {
				var err error
				if next, err = r.Apply(rapid.SampledFrom(rollout.Actions).Draw(t, "action"), f); err != nil {
					continue
				}
			}
			if next.State != policy.Abandoned && next.Share() < r.Share() {
				t.Fatalf("share fell from %s to %s", r.Share(), next.Share())
			}
			if allowed := f.Release.ShareAfter(f.Now.Sub(start)); next.Share() > r.Share() && next.Share() > allowed {
				t.Fatalf("share %s, the pace allows %s", next.Share(), allowed)
			}
			if next.Share() > max(r.Share(), f.ApprovalShare) && len(next.BreakGlass) == 0 && len(next.People(next.Stage)) < 2 {
				t.Fatalf("%s was opened by %v", next.Share(), next.People(next.Stage))
			}
			r = next
		}
	})
}
