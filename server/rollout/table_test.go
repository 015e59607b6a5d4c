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
	"github.com/candor-ota/candor/server/rollout"
)

var start = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)

func hours(n int) manifests.Duration {
	return manifests.Duration{Duration: time.Duration(n) * time.Hour}
}

// release opens 1 % at once, 10 % after 12 h, everybody after 48 h.
func signed() *manifests.Release {
	return &manifests.Release{
		Product: "phone", Build: 42, NotBefore: manifests.At(start), OfferUntil: manifests.At(start.AddDate(0, 3, 0)),
		Pace: []manifests.PaceStep{{MaxShare: 10_000}, {After: hours(12), MaxShare: 100_000}, {After: hours(48), MaxShare: manifests.WholeFleet}},
	}
}

func draft() rollout.Rollout {
	return rollout.Rollout{State: rollout.Draft, Plan: policy.Plan{Product: "phone", Build: 42, Stages: []policy.Stage{
		{Share: 10_000, Soak: hours(6), MinVotes: 10}, {Share: 100_000, Soak: hours(6)}, {Share: manifests.WholeFleet, Soak: hours(1), Approvals: 2},
	}}}
}

func at(h int) rollout.Facts {
	return rollout.Facts{Now: start.Add(time.Duration(h) * time.Hour), By: "ana", Reason: "because", Release: signed(), Trials: 100}
}

func apply(t *testing.T, r rollout.Rollout, a rollout.Action, f rollout.Facts) rollout.Rollout {
	t.Helper()
	next, err := r.Apply(a, f)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return next
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *rollout.Refusal
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestAdvanceWaitsForSoakVotesAndPace(t *testing.T) {
	r := apply(t, draft(), rollout.Start, at(0))
	_, err := r.Apply(rollout.Advance, at(5))
	wantCode(t, err, api.CodeSoaking)
	few := at(6)
	few.Trials = 9
	_, err = r.Apply(rollout.Advance, few)
	wantCode(t, err, api.CodeVotesNeeded)
	_, err = r.Apply(rollout.Advance, at(6))
	wantCode(t, err, api.CodePace)
	if !strings.Contains(err.Error(), "2014-08-11T00:00:00Z") {
		t.Errorf("does not say from when: %v", err)
	}
	if r = apply(t, r, rollout.Advance, at(12)); r.Stage != 1 || r.Share() != 100_000 {
		t.Errorf("stage %d, share %s", r.Stage, r.Share())
	}
}

func TestStageThatAsksForTwoPeopleNeedsTwo(t *testing.T) {
	r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Advance, at(12))
	for range 2 { // one person twice is one person
		if r = apply(t, r, rollout.Advance, at(48)); r.Stage != 1 {
			t.Fatal("one person opened it")
		}
	}
	second := at(48)
	second.By = "ben"
	if r = apply(t, r, rollout.Advance, second); r.Stage != 2 || len(r.Agreed) != 0 {
		t.Fatalf("%+v", r)
	}
	if r = apply(t, r, rollout.Advance, at(49)); r.State != policy.Complete || r.Share() != manifests.WholeFleet {
		t.Errorf("%+v", r)
	}
}

func TestHaltNeedsOnePersonAndNoConfirmation(t *testing.T) {
	for _, f := range []rollout.Facts{at(1), {Now: start, By: "ana", Reason: "bricks"}} { // also with nothing else known
		r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Halt, f)
		if r.State != policy.Halted {
			t.Errorf("%+v", r)
		}
		if again := apply(t, r, rollout.Halt, f); again.State != policy.Halted {
			t.Errorf("halted twice: %+v", again)
		}
		for _, a := range []rollout.Action{rollout.Start, rollout.Resume, rollout.Advance, rollout.Pause} {
			_, err := r.Apply(a, at(2))
			wantCode(t, err, api.CodeConflict)
		}
	}
}

func TestReasonIsNeededToPauseResumeAndHalt(t *testing.T) {
	active := apply(t, draft(), rollout.Start, at(0))
	held := apply(t, active, rollout.Pause, at(1))
	for a, r := range map[rollout.Action]rollout.Rollout{rollout.Pause: active, rollout.Halt: active, rollout.Resume: held} {
		f := at(1)
		f.Reason = " "
		_, err := r.Apply(a, f)
		wantCode(t, err, api.CodeReasonNeeded)
		f.Reason = "safe\u202eexe"
		_, err = r.Apply(a, f)
		wantCode(t, err, api.CodeBadRequest)
	}
}

func TestResumeSoaksAnew(t *testing.T) {
	r := apply(t, apply(t, draft(), rollout.Start, at(0)), rollout.Pause, at(1))
	r = apply(t, r, rollout.Resume, at(20))
	_, err := r.Apply(rollout.Advance, at(25))
	wantCode(t, err, api.CodeSoaking)
}

func TestWithdrawnOrExpiredBuildDoesNotStart(t *testing.T) {
	f := at(0)
	f.Release = nil
	_, err := draft().Apply(rollout.Start, f)
	wantCode(t, err, api.CodeConflict)
	f = at(24 * 200)
	_, err = draft().Apply(rollout.Start, f)
	wantCode(t, err, api.CodeConflict)
	f = at(-1)
	_, err = draft().Apply(rollout.Start, f)
	wantCode(t, err, api.CodePace)
}

// TestShareNeverShrinksNorPassesThePace throws random actions at a rollout.
func TestShareNeverShrinksNorPassesThePace(t *testing.T) {
	actions := []rollout.Action{rollout.Start, rollout.Pause, rollout.Resume, rollout.Advance, rollout.Halt}
	rapid.Check(t, func(t *rapid.T) {
		r, hour := draft(), 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			hour += rapid.IntRange(0, 20).Draw(t, "wait")
			f := at(hour)
			f.By = rapid.SampledFrom([]string{"ana", "ben"}).Draw(t, "by")
			f.Trials = int64(rapid.IntRange(0, 20).Draw(t, "trials"))
			next, err := r.Apply(rapid.SampledFrom(actions[:4+rapid.IntRange(0, 1).Draw(t, "halts")]).Draw(t, "action"), f)
			if err != nil {
				continue
			}
			if next.State != policy.Abandoned && next.Share() < r.Share() {
				t.Fatalf("share fell from %s to %s", r.Share(), next.Share())
			}
			if allowed := f.Release.ShareAfter(f.Now.Sub(start)); next.Share() > allowed {
				t.Fatalf("share %s, the pace allows %s", next.Share(), allowed)
			}
			r = next
		}
	})
}
