package api_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/evidence"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

var (
	healthy = vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
	looped  = vote.Vote{V: 1, Outcome: vote.RolledBack, Reason: vote.BootLoop, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
)

// cast counts trials in the ledger, as redeemed tokens would.
func (w *world) cast(build manifests.Build, v vote.Vote, n int) {
	w.t.Helper()
	cell, err := v.Cell(vote.Trial)
	w.must(err)
	w.count(build, vote.Trial, cell, n, w.now())
}

// attempts counts attempts of an hour.
func (w *world) attempts(build manifests.Build, n int, at time.Time) {
	w.t.Helper()
	cell, err := vote.Vote{V: 1}.Cell(vote.Attempt)
	w.must(err)
	w.count(build, vote.Attempt, cell, n, at)
}

func (w *world) count(build manifests.Build, class vote.Class, cell vote.Cell, n int, at time.Time) {
	w.t.Helper()
	ref := vote.Ref{Product: phone, Build: build}
	w.must(w.ledger.OpenVotes(ctx, store.VoteRelease{Ref: ref, Secret: [32]byte{1}, Active: vote.Primary, Opened: w.now()}))
	for range n {
		w.spent++
		var id vote.Nullifier
		binary.BigEndian.PutUint64(id[:], w.spent)
		w.must(w.ledger.CastVote(ctx, store.Ballot{Ref: ref, Set: vote.Primary, Class: class, Cell: cell, Nullifier: id, Hour: store.HourOf(at)}))
	}
}

func (w *world) look(id string) contract.Rollout {
	w.t.Helper()
	return get[contract.Rollout](w, auth.Viewer, "GET", "/v1/rollouts/"+id, nil)
}

func (w *world) tick() {
	w.t.Helper()
	w.must(w.api.Rollouts.Tick(ctx))
}

func TestBadBuildIsHaltedByItselfWithTheNumbersOnRecord(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, healthy, 6)
	w.tick()
	if got := w.look(id); got.State != contract.Active || *got.Outlook.Outcome != "undecided" {
		t.Fatalf("%+v", got.Outlook)
	}
	w.cast(42, looped, 4)
	w.tick()
	got := w.look(id)
	if got.State != contract.Halted || !strings.Contains(*got.Reason, "4 failures in 10 outcomes") {
		t.Fatalf("%s: %v", got.State, got.Reason)
	}
	if got.HaltBound == nil || !got.HaltBound.At.After(w.now().Add(48*time.Hour)) || !strings.Contains(got.HaltBound.Sentence, "clock") {
		t.Errorf("%+v", got.HaltBound)
	}
	if d := w.document(); d.Rollouts[0].State != policy.Halted || d.Rollouts[0].Reason == "" {
		t.Errorf("handsets read %+v", d.Rollouts)
	}
	rows := get[contract.Timeline](w, auth.Viewer, "GET", "/v1/rollouts/"+id+"/timeline", nil).Entries
	last := rows[len(rows)-1]
	counts := (*last.Detail)["evidence"].(map[string]any)["counts"].(map[string]any)
	if last.What != "rollout.halt" || last.Who != "engine" || counts["trials"] != float64(10) || counts["rolledBack"] != float64(4) {
		t.Errorf("%+v", last)
	}
	w.tick() // decided once
	if again := get[contract.Timeline](w, auth.Viewer, "GET", "/v1/rollouts/"+id+"/timeline", nil).Entries; len(again) != len(rows) {
		t.Errorf("%d rows, then %d", len(rows), len(again))
	}
}

func TestGoodBuildWalksToTheWholeFleetByItself(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.as(auth.Admin, id, "approve", "")
	w.cast(42, healthy, 250)
	w.tick()
	if got := w.look(id); got.Stage != 0 || !strings.Contains(got.Outlook.Sentence, "next stage in 1 d ") {
		t.Fatalf("stage %d: %s", got.Stage, got.Outlook.Sentence)
	}
	w.wait(25 * time.Hour)
	w.tick()
	if got := w.look(id); got.Stage != 0 {
		t.Fatal("advanced without an attempt that was due: silence was not asked about")
	}
	w.attempts(42, 250, w.now().Add(-25*time.Hour))
	for range 2 {
		w.tick()
		w.wait(7 * time.Hour)
	}
	if got := w.look(id); got.State != contract.Complete {
		t.Fatalf("%s, stage %d: %s", got.State, got.Stage, got.Outlook.Sentence)
	}
}

func TestHaltThatCouldNotBePublishedIsPublishedAtTheNextLook(t *testing.T) {
	w := ready(t, 42)
	w.change(w.rollout(42).Id, "start", "")
	options, full := w.api.Rollouts.Options, errors.New("disk full")
	publish, fails := options.Publish, 1
	options.Publish = func(ctx context.Context) error {
		if fails--; fails >= 0 {
			return full
		}
		return publish(ctx)
	}
	engine := rollout.New(options)
	w.cast(42, looped, 10)
	if err := engine.Tick(ctx); !errors.Is(err, rollout.ErrUnpublished) {
		t.Fatalf("%v", err)
	}
	if d := w.document(); d.Rollouts[0].State != policy.Active {
		t.Fatalf("%+v", d.Rollouts)
	}
	w.must(engine.Tick(ctx))
	if d := w.document(); d.Rollouts[0].State != policy.Halted {
		t.Errorf("%+v", d.Rollouts)
	}
}

func TestTwoEnginesDecideOnce(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	other := rollout.New(w.api.Rollouts.Options)
	w.cast(42, looped, 10)
	w.tick()
	w.must(other.Tick(ctx)) // the lease is the first one's
	done := make(chan error, 8)
	for i := range 8 {
		e := w.api.Rollouts
		if i%2 == 1 {
			e = other
		}
		go func() { done <- e.Tick(ctx) }()
	}
	for range 8 {
		w.must(<-done)
	}
	halts := 0
	for _, row := range get[contract.Timeline](w, auth.Viewer, "GET", "/v1/rollouts/"+id+"/timeline", nil).Entries {
		if row.What == "rollout.halt" {
			halts++
		}
	}
	if halts != 1 {
		t.Errorf("halted %d times", halts)
	}
}

func TestWideningTakesTwoDifferentPeopleAndNobodyTwice(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.wait(26 * time.Hour)
	path := "/v1/rollouts/" + id
	w.refused(409, contract.CodeApprovalNeeded, auth.Operator, "POST", path+"/advance", map[string]string{"reason": ahead})
	w.refused(403, contract.CodeOwnRequest, auth.Operator, "POST", path+"/approve", map[string]string{})
	if got := w.look(id); *got.MissingApprovals != 1 || !slices.Equal(*got.Needed, []int{1, 2}) || *got.ReleaseVersion == "" {
		t.Errorf("%d missing of %v; version %q", *got.MissingApprovals, *got.Needed, *got.ReleaseVersion)
	}
	got := w.as(auth.Admin, id, "approve", "fine by me")
	if len(got.Approvals) != 1 || got.Approvals[0].By.Id != "local:admin" || *got.Approvals[0].Reason != "fine by me" {
		t.Errorf("%+v", got.Approvals)
	}
	w.refused(403, contract.CodeOwnRequest, auth.Admin, "POST", path+"/approve", map[string]string{})
	if got = w.change(id, "advance", ahead); got.Stage != 1 {
		t.Errorf("%+v", got)
	}
}

func TestGlassIsForAdminsAndIsHeard(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.wait(25 * time.Hour)
	path := "/v1/rollouts/" + id + "/advance"
	w.refused(403, contract.CodeBreakGlass, auth.Operator, "POST", path, map[string]any{"reason": "worm", "breakGlass": true})
	w.refused(400, contract.CodeReasonNeeded, auth.Admin, "POST", path, map[string]any{"breakGlass": true})
	got := get[contract.Rollout](w, auth.Admin, "POST", path, map[string]any{"reason": "a worm is out", "breakGlass": true})
	if got.Stage != 1 || len(got.BreakGlass) != 1 || got.BreakGlass[0].Reason != "a worm is out" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(w.log.String(), "an admin went past the rules") {
		t.Error("the log is silent")
	}
	rows := get[contract.Timeline](w, auth.Viewer, "GET", "/v1/rollouts/"+id+"/timeline", nil).Entries
	if rows[len(rows)-1].What != "rollout.break-glass" {
		t.Errorf("%+v", rows[len(rows)-1])
	}
}

func TestDraftIsEditedAndItsEditorIsItsAuthor(t *testing.T) {
	w := ready(t, 42)
	r := w.rollout(42)
	p := plan(42)
	p["channel"] = "beta"
	w.refused(412, contract.CodeStale, auth.Admin, "PUT", "/v1/rollouts/"+r.Id, p, "If-Match", `"7"`)
	got := get[contract.Rollout](w, auth.Admin, "PUT", "/v1/rollouts/"+r.Id, p, "If-Match", `"1"`)
	if *got.Channel != "beta" || got.Author.Id != "local:admin" || got.Version != 2 {
		t.Errorf("%+v", got)
	}
	w.change(r.Id, "propose", "")
	w.refused(409, contract.CodeConflict, auth.Admin, "PUT", "/v1/rollouts/"+r.Id, p)
	w.refused(403, contract.CodeOwnRequest, auth.Admin, "POST", "/v1/rollouts/"+r.Id+"/approve", map[string]string{})
}

func TestBadPlansAreRefusedAndNothingIsRecorded(t *testing.T) {
	w := ready(t, 42)
	for name, c := range map[string]struct {
		code, words string
		spoil       func(map[string]any)
	}{
		"shares that shrink": {contract.CodeBadRequest, "never shrinks", func(p map[string]any) {
			p["stages"] = []map[string]any{{"sharePPM": 10_000, "soak": "1h"}, {"sharePPM": 5_000, "soak": "1h"}}
		}},
		"past everybody":   {contract.CodeBadRequest, "1000000", func(p map[string]any) { p["stages"] = []map[string]any{{"sharePPM": 1_000_001, "soak": "1h"}} }},
		"no soak":          {contract.CodeBadRequest, "soak", func(p map[string]any) { p["stages"] = []map[string]any{{"sharePPM": 10_000}} }},
		"unknown audience": {contract.CodeBadRequest, "unknown field", func(p map[string]any) { p["audience"] = map[string]any{"age": 5} }},
		"unsigned release": {contract.CodeNotFound, "sign no build 43", func(p map[string]any) { p["build"] = 43 }},
		"pace forbids the start": {contract.CodePace, "from 2014-", func(p map[string]any) {
			p["start"], p["stages"] = "2014-08-10T13:00:00Z", []map[string]any{{"sharePPM": 1_000_000, "soak": "1h"}}
		}},
		"limit beyond half":          {contract.CodeBadRequest, "failuresPPM", func(p map[string]any) { p["guard"] = map[string]any{"failuresPPM": 600_000} }},
		"unknown rule":               {contract.CodeBadRequest, "reportOnly", func(p map[string]any) { p["guard"] = map[string]any{"reportOnly": []string{"luck"}} }},
		"budget that cannot be kept": {contract.CodeBadRequest, "budget", func(p map[string]any) { p["budget"] = map[string]any{"maxHarmed": 10, "fleet": 1_000_000} }},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(42)
			c.spoil(p)
			status := map[string]int{contract.CodeBadRequest: 400, contract.CodeNotFound: 404, contract.CodePace: 409}[c.code]
			if problem := w.refused(status, c.code, auth.Operator, "POST", "/v1/rollouts", p); !strings.Contains(*problem.Detail, c.words) {
				t.Errorf("says %q", *problem.Detail)
			}
		})
	}
	if list := get[contract.RolloutList](w, auth.Viewer, "GET", "/v1/rollouts", nil); len(list.Rollouts) != 0 {
		t.Errorf("%d were recorded", len(list.Rollouts))
	}
}

// A form shows each refusal beside its field.
func TestRefusedPlansNameTheirField(t *testing.T) {
	w := ready(t, 42)
	for field, spoil := range map[string]func(map[string]any){
		"kind":           func(p map[string]any) { p["kind"] = "critical" },
		"deadline":       func(p map[string]any) { p["deadline"] = "2014-08-10T13:00:00Z" },
		"stages[0].soak": func(p map[string]any) { p["stages"] = []map[string]any{{"sharePPM": 10_000, "soak": "long"}} },
		"stages[1].sharePPM": func(p map[string]any) {
			p["stages"] = []map[string]any{{"sharePPM": 10, "soak": "1h"}, {"sharePPM": 9, "soak": "1h"}}
		},
		"audience.models[0]": func(p map[string]any) { p["audience"] = map[string]any{"models": []string{"No Model"}} },
		"window.from":        func(p map[string]any) { p["window"] = map[string]any{"from": "2 am", "to": "05:00"} },
	} {
		t.Run(field, func(t *testing.T) {
			p := plan(42)
			spoil(p)
			for path, body := range map[string]any{"/v1/rollouts": p, "/v1/rollouts/preview": map[string]any{"plan": p, "fleet": 1000}} {
				if problem := w.refused(400, contract.CodeBadRequest, auth.Operator, "POST", path, body); problem.Field == nil || *problem.Field != field {
					t.Errorf("%s: %v: %s", path, problem.Field, *problem.Detail)
				}
			}
		})
	}
}

func TestClockThatGoesBackDecidesNothingAndHaltsAllTheSame(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.wait(-time.Hour)
	w.tick()
	got := w.look(id)
	if got.Outlook.Waits[0].Code != contract.CodeClock {
		t.Errorf("%+v", got.Outlook)
	}
	w.cast(42, looped, 10)
	w.tick()
	if got = w.look(id); got.State != contract.Halted {
		t.Errorf("%s", got.State)
	}
}

func TestLabHandsetVetoesAndIsMutedWithAReason(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	public, _, err := ed25519.GenerateKey(nil)
	w.must(err)
	cell, err := looped.Cell(vote.Trial)
	w.must(err)
	w.wait(time.Minute)
	w.must(w.ledger.AddBatch(ctx, store.Batch{Name: "lab", CA: "x", Lab: true, DailyCap: 1, Created: w.now()}, store.Entry{At: w.now(), Who: "test", What: "batch.new", Subject: "lab"}))
	w.must(w.ledger.AddLabReport(ctx, store.LabReport{Ref: vote.Ref{Product: phone, Build: 42}, Class: vote.Trial, DeviceKey: vote.DeviceKey(public), Batch: "lab", Cell: cell, At: w.now()}))
	w.tick()
	got := w.look(id)
	if got.State != contract.Halted || !strings.Contains(*got.Reason, "lab handset "+hex.EncodeToString(public[:6])) {
		t.Fatalf("%s: %v", got.State, got.Reason)
	}
	reports := get[contract.LabReportList](w, auth.Viewer, "GET", "/v1/products/phone/releases/42/lab-reports", nil).Reports
	if len(reports) != 1 || !reports[0].Failed || reports[0].Muted {
		t.Fatalf("%+v", reports)
	}
	mute := "/v1/lab-handsets/" + reports[0].DeviceKey + "/mute"
	w.refused(400, contract.CodeReasonNeeded, auth.Operator, "POST", mute, map[string]string{})
	if status, _, body := w.call(auth.Operator, "POST", mute, map[string]string{"reason": "its cable was loose"}); status != 204 {
		t.Fatalf("%d %s", status, body)
	}
	w.change(id, "resume", "its cable was loose")
	w.as(auth.Admin, id, "approve", "seen it")
	w.tick()
	if got = w.look(id); got.State != contract.Active {
		t.Errorf("%s: %v", got.State, got.Reason)
	}
}

func TestRescueIsForThoseThatRunTheHaltedBuild(t *testing.T) {
	w := ready(t, 42, 43)
	w.wait(25 * time.Hour)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.refused(409, contract.CodeConflict, auth.Viewer, "GET", "/v1/rollouts/"+id+"/rescue?build=43", nil)
	w.change(id, "halt", "bricks")
	w.refused(400, contract.CodeBadRequest, auth.Viewer, "GET", "/v1/rollouts/"+id+"/rescue?build=42", nil)
	p := get[map[string]any](w, auth.Viewer, "GET", "/v1/rollouts/"+id+"/rescue?build=43", nil)
	from := p["audience"].(map[string]any)["fromBuilds"].(map[string]any)
	if from["min"] != float64(42) || from["max"] != float64(42) || p["rescues"] != id || p["build"] != float64(43) {
		t.Errorf("%+v", p)
	}
	r := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", p) // it can be used as it is
	if r = w.change(r.Id, "start", ""); r.State != contract.Active {
		t.Errorf("%+v", r)
	}
	copied := get[map[string]any](w, auth.Viewer, "GET", "/v1/rollouts/"+id+"/template?build=43", nil)
	if copied["build"] != float64(43) || copied["rescues"] != nil {
		t.Errorf("%+v", copied)
	}
}

func TestPreviewSaysWhatAPlanWouldDo(t *testing.T) {
	w := ready(t, 42)
	ask := func(fleet int, more map[string]any) contract.Preview {
		q := map[string]any{"plan": plan(42), "fleet": fleet}
		for k, v := range more {
			q[k] = v
		}
		return get[contract.Preview](w, auth.Viewer, "POST", "/v1/rollouts/preview", q)
	}
	big := ask(1_000_000, map[string]any{"optInPPM": 200_000})
	first := big.Stages[0]
	if first.Handsets != 10_000 || first.Votes != 2_000 || !first.Decides || *first.HaltedChance < 0.95 || len(big.Warnings) != 0 {
		t.Errorf("%+v %v", first, big.Warnings)
	}
	if big.Harmed <= 0 || big.Harmed > float32(big.HarmedAtMost) || big.HarmedAtMost != 300 {
		t.Errorf("harmed %f of at most %d", big.Harmed, big.HarmedAtMost)
	}
	if second := big.Stages[1]; !*second.WaitsForPace || second.Approvals != 2 || !big.EarliestFinish.After(*second.Earliest) {
		t.Errorf("%+v", second)
	}
	small := ask(1000, map[string]any{"handset": map[string]any{"model": "phone-1", "build": 41, "positionPPM": 500_000}})
	if small.Stages[0].Decides || len(small.Warnings) == 0 || small.OptInSource != "assumed" || *small.Stages[0].HandsetsToPass < 1000 {
		t.Errorf("%+v", small)
	}
	if code := *small.Stages[0].SampleCode; code == "offer" {
		t.Errorf("a handset at 50 %% takes part in 1 %%: %s", code)
	}
	p := plan(43)
	w.refused(404, contract.CodeNotFound, auth.Viewer, "POST", "/v1/rollouts/preview", map[string]any{"plan": p, "fleet": 5})
}

func TestPlannedStagesKeepTheirBudget(t *testing.T) {
	w := ready(t, 42)
	list := get[contract.StageList](w, auth.Viewer, "POST", "/v1/rollouts/stages", map[string]any{"fleet": 1_000_000, "maxHarmed": 200, "optInPPM": 200_000, "soak": "24h"})
	p := plan(42)
	p["stages"], p["budget"] = list.Stages, map[string]any{"fleet": 1_000_000, "maxHarmed": 200}
	data, err := json.Marshal(p)
	w.must(err)
	parsed, err := policy.ParsePlan(data) // which refuses one that does not keep its budget
	if err != nil || len(parsed.Stages) < 3 || parsed.Stages[0].Share != 200 {
		t.Fatalf("%v: %s", err, data)
	}
	w.refused(409, contract.CodeConflict, auth.Viewer, "POST", "/v1/rollouts/stages", map[string]any{"fleet": 1_000_000, "maxHarmed": 10, "optInPPM": 50_000, "soak": "24h"})
}

func TestEvidenceHoldsWhatAnAuditorNeeds(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, looped, 10)
	w.tick()
	status, _, body := w.call(auth.Viewer, "GET", "/v1/rollouts/"+id+"/evidence", nil)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	b, err := evidence.Parse(body)
	w.must(err)
	if b.Rollout.State != contract.Halted || len(b.Files) < 8 || b.Rows[len(b.Rows)-1].What != "rollout.halt" || b.Head.Seq < b.Rows[len(b.Rows)-1].Seq {
		t.Errorf("%d files, %d rows, head %+v", len(b.Files), len(b.Rows), b.Head)
	}
}

func TestScheduledRolloutIsPublishedAndBeginsAtItsTime(t *testing.T) {
	w := ready(t, 42)
	p := plan(42)
	p["start"] = manifests.At(w.now().Add(3 * time.Hour)).String()
	r := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", p)
	if r = w.change(r.Id, "start", ""); r.State != contract.Scheduled {
		t.Fatalf("%s", r.State)
	}
	if d := w.document(); len(d.Rollouts) != 1 || d.Rollouts[0].State != policy.Scheduled || d.Rollouts[0].Share != 0 {
		t.Errorf("%+v", d.Rollouts)
	}
	w.tick()
	w.wait(3 * time.Hour)
	w.tick()
	if d := w.document(); d.Rollouts[0].State != policy.Active || d.Rollouts[0].Share != 10_000 {
		t.Errorf("%+v", d.Rollouts)
	}
}

func TestTokenOfAnotherProductChangesNothing(t *testing.T) {
	w := ready(t, 42)
	id := w.rollout(42).Id
	_, secret, err := auth.Create(ctx, w.ledger, auth.NewToken{Name: "watch", Role: auth.Operator, Products: []manifests.Product{"watch"}, By: "test"}, w.now())
	w.must(err)
	w.tokens["watch"] = secret
	for _, action := range []string{"start", "halt", "approve", "propose"} {
		w.refused(403, contract.CodeForbidden, "watch", "POST", "/v1/rollouts/"+id+"/"+action, map[string]string{"reason": "x"})
	}
	w.refused(403, contract.CodeForbidden, "watch", "GET", "/v1/rollouts/"+id, nil)
	w.refused(403, contract.CodeForbidden, "watch", "POST", "/v1/rollouts", plan(42))
	if got := w.look(id); got.Version != 1 {
		t.Errorf("%+v", got)
	}
}
