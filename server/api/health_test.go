package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

// hourly is a service whose counts move on once an hour, as they do unless
// somebody sets it otherwise.
func hourly(t testing.TB, builds ...manifests.Build) *world {
	t.Helper()
	w := newWorld(t, func(w *world) { w.showEvery = time.Hour })
	w.prepare(builds...)
	return w
}

func (w *world) health(id string) contract.Health {
	w.t.Helper()
	return get[contract.Health](w, auth.Viewer, "GET", "/v1/rollouts/"+id+"/health", nil)
}

// budgeted is a plan that says how large its fleet is.
func budgeted(build manifests.Build) map[string]any {
	p := plan(build)
	p["stages"] = []map[string]any{
		{"sharePPM": 10_000, "soak": "6h"}, {"sharePPM": 100_000, "soak": "6h"}, {"sharePPM": 1_000_000, "soak": "6h"},
	}
	p["budget"] = map[string]any{"fleet": 100_000, "maxHarmed": 2_000}
	return p
}

func TestHealthHasNoMomentsThatCountsDoNotHave(t *testing.T) {
	w := hourly(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, healthy, 0) // opens the votes
	w.tick()
	w.cast(42, healthy, 30)
	w.tick()
	if h := w.health(id); h.Counts.Trials != 0 || h.Rate.RatePPM != nil || h.Rate.HighPPM != nil || h.ShownEvery != 3600 {
		t.Errorf("votes are shown as they land: %+v, %+v", h.Counts, h.Rate)
	}
	w.wait(time.Hour)
	w.tick() // nobody has a page open
	w.cast(42, looped, 5)
	w.wait(30 * time.Minute)
	h := w.health(id)
	if h.Counts.Trials != 30 || h.Counts.RolledBack != 0 || *h.Rate.RatePPM != 0 || *h.Rate.LowPPM != 0 || *h.Rate.HighPPM == 0 {
		t.Errorf("%+v, %+v", h.Counts, h.Rate)
	}
	w.wait(time.Hour)
	h = w.health(id)
	if h.Counts.RolledBack != 5 || h.Rate.Failed != 5 || h.Rate.Of != 35 || !h.Masked || len(h.Reasons) != 0 {
		t.Errorf("%+v, %+v, %+v", h.Counts, h.Rate, h.Reasons)
	}
	if n := len(h.Points); n < 2 || h.Points[n-1].Failed != 5 || h.Points[n-1].SharePPM != 10_000 || *h.Points[n-1].LowPPM >= *h.Points[n-1].HighPPM {
		t.Errorf("%+v", h.Points)
	}
	for i := range h.Points[1:] {
		if h.Points[i+1].At.Before(h.Points[i].At) || h.Points[i+1].Trials < h.Points[i].Trials {
			t.Errorf("points run backwards: %+v", h.Points)
		}
	}
}

func TestReasonsAreShownFromTwentyVotesUpWithWhatTheyMean(t *testing.T) {
	w := hourly(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, healthy, 100)
	w.cast(42, looped, 25)
	w.wait(time.Hour)
	h := w.health(id)
	if len(h.Reasons) != 1 || h.Reasons[0].Reason != "boot_loop" || h.Reasons[0].Votes != 25 || h.Reasons[0].Class != "trial" || *h.Reasons[0].Sentence == "" || h.Masked {
		t.Errorf("%+v", h.Reasons)
	}
}

func TestLinesOfTheTestAreThoseByWhichItIsHalted(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	h := w.health(id)
	w.cast(42, healthy, 9)
	for _, line := range h.Lines {
		if line.Of < 5 && line.HaltsAt != nil || line.HaltsAt != nil && line.PassesAt != nil && *line.PassesAt >= *line.HaltsAt {
			t.Errorf("%+v", line)
		}
	}
	if last := h.Lines[len(h.Lines)-1]; last.PassesAt == nil || last.HaltsAt == nil || len(h.Lines) < 20 {
		t.Errorf("a build without a failure never passes: %+v", h.Lines)
	}
	w.cast(42, looped, 4)
	w.tick()
	if got := w.look(id); got.State == contract.Halted {
		t.Fatal("halted by 4 in 13")
	}
	w.cast(42, looped, 2)
	w.tick()
	if got := w.look(id); got.State != contract.Halted {
		t.Error("not halted by 6 in 15")
	}
}

func TestBlastRadiusIsKnownOnlyFromWhatIsKnown(t *testing.T) {
	w := ready(t, 42, 43)
	id := w.change(w.rollout(42).Id, "start", "").Id
	if h := w.health(id); h.Blast.Fleet != nil || h.Blast.Reached != nil || h.Blast.Harmed != nil || h.Offered != nil || h.Blast.SharePPM != 10_000 {
		t.Errorf("nobody said how large the fleet is: %+v", h.Blast)
	}
	r := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", budgeted(43))
	id = w.change(r.Id, "start", "").Id
	w.cast(43, looped, 2)
	h := w.health(id)
	if *h.Blast.Reached != 1000 || *h.Offered != 1000 || *h.Blast.MaxHarmed != 2_000 || *h.Blast.Fleet != 100_000 || h.Blast.Harmed != nil {
		t.Errorf("nobody asked for a token, and so many were harmed: %+v", h.Blast)
	}
	w.must(w.ledger.AddBatch(ctx, store.Batch{Name: "b", CA: "pem", DailyCap: 1 << 20, Created: w.now()}, store.Entry{At: w.now(), Who: "test", What: "test"}))
	for i := range 200 { // of 100,000 handsets: one in 500 reports
		w.must(w.ledger.RecordIssue(ctx, store.Issue{
			Ref: vote.Ref{Product: phone, Build: 43}, Set: vote.Primary, Class: vote.Trial, Batch: "b", Tag: store.Tag{1, byte(i)}, Element: [16]byte{2},
		}))
	}
	if h := w.health(id); h.Blast.Harmed == nil || *h.Blast.Harmed != 1000 {
		t.Errorf("2 failures among one in 500: %+v", h.Blast)
	}
}

func TestHealthTellsWhatWasOpenedAndWhatIsToCome(t *testing.T) {
	w := ready(t, 42)
	draft := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", budgeted(42))
	h := w.health(draft.Id)
	if len(h.Opened) != 0 || len(h.Points) != 0 || h.Plan == nil || len(*h.Plan) != 3 || !(*h.Plan)[0].At.Equal(w.now()) {
		t.Errorf("of a draft: %+v, %+v", h.Opened, h.Plan)
	}
	begun := w.now()
	id := w.change(draft.Id, "start", "").Id
	w.wait(25 * time.Hour)
	w.change(id, "advance", ahead)
	w.change(id, "pause", "lunch")
	h = w.health(id)
	if len(h.Opened) != 3 || h.Opened[0].SharePPM != 10_000 || !h.Opened[0].At.Equal(begun) || h.Opened[1].SharePPM != 100_000 ||
		h.Opened[2].SharePPM != 100_000 || *h.Opened[2].Why != "pause: lunch" || *h.Opened[1].Stage != 1 {
		t.Errorf("%+v", h.Opened)
	}
	if len(h.Pace) == 0 || h.Pace[0].SharePPM == 0 || h.Pace[len(h.Pace)-1].SharePPM != 1_000_000 {
		t.Errorf("%+v", h.Pace)
	}
	if h.Plan == nil || len(*h.Plan) != 1 || (*h.Plan)[0].At.Before(w.now().Add(6*time.Hour)) || *(*h.Plan)[0].Stage != 2 {
		t.Errorf("%+v", h.Plan)
	}
}

func TestReleaseBeforeIsSeenAtTheSameShare(t *testing.T) {
	w := ready(t, 42, 43)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, healthy, 40)
	w.cast(42, looped, 1)
	w.wait(25 * time.Hour)
	w.widen(id)
	w.cast(42, healthy, 400)
	w.attempts(42, 441, w.now().Add(-25*time.Hour))
	w.wait(25 * time.Hour)
	w.tick()
	if got := w.look(id); got.State != contract.Complete {
		t.Fatalf("%s: %s", got.State, got.Outlook.Sentence)
	}
	if h := w.health(id); h.Before != nil {
		t.Errorf("there is no release before: %+v", h.Before)
	}
	next := w.change(w.rollout(43).Id, "start", "").Id
	h := w.health(next)
	if b := h.Before; b == nil || !*b.SameShare || b.SharePPM != 10_000 || b.Counts.Trials != 41 || b.Rate.Failed != 1 || *b.Rollout != id || b.Build != 42 || b.Version == "" {
		t.Errorf("%+v", h.Before)
	}
	if h.Rate.RatePPM != nil || h.Counts.Trials != 0 || h.Silence != nil {
		t.Errorf("of no votes: %+v, %+v", h.Rate, h.Silence)
	}
}

func TestWhatWasCountedBeforeAResumptionIsNotJudgedAgain(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, healthy, 6)
	w.cast(42, looped, 5)
	w.tick()
	w.change(id, "resume", "a broken test rig")
	w.as(auth.Admin, id, "approve", "")
	w.cast(42, healthy, 10)
	h := w.health(id)
	if h.JudgedFrom == nil || h.JudgedFrom.Failed != 5 || h.JudgedFrom.Trials != 11 || h.Rate.Failed != 0 || h.Rate.Of != 10 || h.Counts.Trials != 21 {
		t.Errorf("%+v, %+v, %+v", h.JudgedFrom, h.Rate, h.Counts)
	}
	if last := h.Points[len(h.Points)-1]; last.Trials != 21 || *last.LowPPM != 0 || *last.HighPPM != *h.Rate.HighPPM {
		t.Errorf("the band holds what is not judged: %+v, %+v", last, h.Rate)
	}
}

func TestHealthOutlivesTheVotes(t *testing.T) {
	w := hourly(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.attempts(42, 12, w.now())
	w.cast(42, healthy, 10)
	w.wait(26 * time.Hour)
	w.tick()
	if h := w.health(id); h.Counts.Due != 12 || h.Counts.Silent != 2 || h.Silence == nil || h.Silence.Failed != 2 {
		t.Fatalf("%+v, %+v", h.Counts, h.Silence)
	}
	w.must(w.api.Votes.CloseRelease(ctx, vote.Ref{Product: phone, Build: 42}, store.Entry{At: w.now(), Who: "test", What: "votes.close"}))
	w.wait(50 * time.Hour)
	h := w.health(id)
	if h.Counts.Trials != 10 || h.Counts.Silent != 2 || h.Counts.Due != 12 || len(h.Points) < 2 {
		t.Errorf("%+v, %+v", h.Counts, h.Points)
	}
}

func TestHealthIsForThoseWhoMayReadTheProduct(t *testing.T) {
	w := ready(t, 42)
	id := w.rollout(42).Id
	other := w.bearer("other", w.make(auth.Admin, map[string]any{"name": "other", "role": "viewer", "products": []string{"tablet"}}).Token)
	w.refused(403, contract.CodeForbidden, other, "GET", "/v1/rollouts/"+id+"/health", nil)
	w.refused(404, contract.CodeNotFound, auth.Viewer, "GET", "/v1/rollouts/none/health", nil)
	_, h, body := w.call(auth.Viewer, "GET", "/v1/rollouts/"+id+"/health", nil)
	if h.Get("Cache-Control") != "no-store" || strings.Contains(string(body), "null") {
		t.Errorf("%v %s", h, body)
	}
}
