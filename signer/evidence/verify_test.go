package evidence_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	format "github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
)

func TestTrueEvidenceHolds(t *testing.T) {
	w := newTale(t)
	r := w.verify(w.tell())
	if !r.Holds || !r.Issued.Equal(w.at) {
		t.Fatalf("as of %v:\n%s", r.Issued, words(r, false))
	}
	said := words(r, true)
	for _, want := range []string{
		"root: ", "timestamp: ", "releases-phone: ", "releases/phone/43.json: signed by the engineers",
		"rollout: halted, stage 2 of 2, 100 %, build 43: handsets are told the same",
		"audit log: entries 7 to 13 follow from one another, 6 of them about this rollout",
		"history: 6 entries lead to halted, stage 2; 2 verdicts follow again",
		"people: ana, ben stand behind stage 2",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	if len(r.NotCovered) < 4 {
		t.Errorf("not covered: %q", r.NotCovered)
	}
}

func TestOldEvidenceIsJudgedAsOfItsTime(t *testing.T) {
	w := newTale(t)
	w.at = noon.AddDate(0, 0, 200) // releases-phone ended after 120 days
	r := w.verify(w.tell())
	if r.Holds || !strings.Contains(words(r, false), "releases-phone: expired") {
		t.Errorf("%s", words(r, false))
	}
}

func TestWithdrawnReleaseIsSaidToBeNotCovered(t *testing.T) {
	w := newTale(t)
	w.publish(w.withdrawn)
	w.told = false
	r := w.verify(w.tell())
	if !r.Holds || !strings.Contains(words(r, true), "the engineers have withdrawn build 43") {
		t.Fatalf("%s\n%s", words(r, false), words(r, true))
	}
	if !slices.ContainsFunc(r.NotCovered, func(s string) bool { return strings.Contains(s, "it was withdrawn") }) {
		t.Errorf("%q", r.NotCovered)
	}
}

func TestDraftHoldsWithoutAnything(t *testing.T) {
	w := newTale(t)
	w.entries, w.told = w.entries[:1], false
	w.bundle.Rollout = api.Rollout{
		Id: rolloutID, Product: "phone", Build: 43, State: "draft", Author: w.bundle.Rollout.Author, Stages: w.bundle.Rollout.Stages,
		Approvals: []api.Approval{}, BreakGlass: []api.BreakGlass{},
	}
	if r := w.verify(w.tell()); !r.Holds {
		t.Errorf("%s", words(r, false))
	}
}

func TestBrokenGlassIsToldAloud(t *testing.T) {
	w := newTale(t)
	w.entries[5].What, w.entries[5].Who = "rollout.break-glass", "root-on-call"
	w.edit(5, func(d fields) { d["people"] = []any{ana} })
	w.edit(6, func(d fields) { d["people"] = []any{ana} })
	w.entries = slices.Delete(w.entries, 2, 3)
	w.bundle.Rollout.Approvals = []api.Approval{}
	w.bundle.Rollout.BreakGlass = []api.BreakGlass{{By: api.Person{Id: "p-root", Name: "root-on-call"}, At: w.at, Reason: "because", Action: "advance"}}
	r := w.verify(w.tell())
	if !r.Holds || !strings.Contains(words(r, true), "(rollout.break-glass by root-on-call): went past the rules: because") {
		t.Errorf("%s\n%s", words(r, false), words(r, true))
	}
}

func TestAcquittedVotesAreNotJudgedAgain(t *testing.T) {
	w := newTale(t)
	w.edit(5, func(d fields) { // the numbers as they were counted, and what of them is acquitted
		all := goodVotes()
		all.Trials, all.RolledBack = all.Trials+200, 200
		d["evidence"] = verdict.Evidence{Counts: all, Share: 10_000}
		d["acquitted"] = verdict.Counts{Trials: 200, RolledBack: 200}
	})
	if r := w.verify(w.tell()); !r.Holds {
		t.Errorf("%s", words(r, false))
	}
}

// Each kind of tampering before the service signs and chains: a lying service.
func TestLyingServiceIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		lie  func(*tale)
		says string
	}{
		"offers what nobody signed":    {func(w *tale) { w.entry.Release.SHA256[0] ^= 1 }, "that the engineers do not sign"},
		"tells handsets another state": {func(w *tale) { w.entry.State = rollout.Active }, "handsets are told active"},
		"tells handsets another share": {func(w *tale) { w.entry.Share = 10_000 }, "handsets are told halted, stage 2, 1 %"},
		"tells handsets another stage": {func(w *tale) { w.entry.Stage = 0 }, "handsets are told halted, stage 1"},
		"tells handsets nothing":       {func(w *tale) { w.told = false }, "does not name it"},
		"tells another audience":       {func(w *tale) { w.entry.Audience.Models = []manifests.Name{"mi4"} }, "another channel, audience or condition"},
		"tells another deferral":       {func(w *tale) { w.entry.Deferral.Duration = 0 }, "another channel, audience or condition"},
		"plan beyond the release": {func(w *tale) {
			w.plan.Kind = manifests.KindCritical
			w.entry.Kind = manifests.KindCritical
			w.edit(0, func(d fields) { d["plan"] = w.plan })
		}, "asks for more than the release signs"},
		"release taken back, still offered": {func(w *tale) { w.publish(w.withdrawn) }, "that the engineers do not sign"},
		"made for another release": {func(w *tale) {
			w.edit(0, func(d fields) { d["release"].(fields)["length"] = 1 })
		}, "was made for another release"},
		"plan swapped later": {func(w *tale) {
			w.edit(0, func(d fields) { d["plan"].(fields)["deferral"] = "0s" })
		}, "is not the plan that is claimed"},
		"verdict turned": {func(w *tale) {
			w.edit(5, func(d fields) { d["verdict"].(fields)["outcome"] = "undecided" })
		}, `entry 12 (rollout.advance by engine): records the verdict "undecided"; its own numbers give "pass"`},
		"finding turned": {func(w *tale) {
			w.edit(5, func(d fields) { d["verdict"].(fields)["findings"].([]any)[0].(fields)["failed"] = 3 })
		}, "entry 12 (rollout.advance by engine): records the verdict"},
		"numbers turned": {func(w *tale) {
			w.edit(6, func(d fields) { d["evidence"].(fields)["counts"].(fields)["rolledBack"] = 0 })
		}, `entry 13 (rollout.halt by engine): records the verdict "halt"`},
		"numbers left out": {func(w *tale) {
			w.edit(6, func(d fields) { delete(d, "evidence") })
		}, "records a verdict without the numbers"},
		"softer limits": {func(w *tale) {
			w.edit(6, func(d fields) { d["rules"].(fields)["guard"] = fields{"failuresPPM": 400_000} })
		}, "other limits than those of the plan"},
		"softer pass": {func(w *tale) {
			w.edit(5, func(d fields) { d["rules"].(fields)["passPPM"] = 500_000 })
		}, "other limits than those of the plan"},
		"more votes to halt": {func(w *tale) {
			w.edit(5, func(d fields) { d["rules"].(fields)["minToHalt"] = 4 })
		}, "other limits than those of the plan"},
		"judged as if less were open": {func(w *tale) {
			w.edit(6, func(d fields) { d["evidence"].(fields)["sharePPM"] = 1 })
		}, "was judged as if 0.0001 % were open"},
		"engine goes on without proof": {func(w *tale) {
			w.edit(5, func(d fields) { w.judged(0, verdict.Counts{Trials: 3, Healthy: 3}, d) })
		}, "the engine went on with undecided"},
		"engine goes on without a verdict": {func(w *tale) {
			w.edit(5, func(d fields) { delete(d, "verdict") })
		}, "the engine went on with no verdict"},
		"engine halts without proof": {func(w *tale) {
			w.edit(6, func(d fields) { w.judged(1, goodVotes(), d) })
		}, "the engine halted with pass"},
		"person goes on against the votes": {func(w *tale) {
			w.entries[5].Who = "ana"
			w.edit(5, func(d fields) { w.judged(0, badVotes(), d) })
		}, "went on although the votes spoke against it"},
		"stage skipped": {func(w *tale) {
			w.edit(4, func(d fields) { d["stage"] = 1 })
		}, "goes from stage 1 to stage 2"},
		"stage that is not there": {func(w *tale) {
			w.edit(6, func(d fields) { d["stage"] = 7 })
		}, "there is no stage 8"},
		"detail of another action": {func(w *tale) { w.entries[6].What = "rollout.pause" }, `its detail is of "halt"`},
		"unreadable detail":        {func(w *tale) { w.entries[6].Detail = []byte(`"text"`) }, "its detail cannot be read"},
		"claims another state": {func(w *tale) {
			w.bundle.Rollout.State, w.entry.State = "complete", rollout.Complete
		}, "leads to halted, stage 2; the rollout is claimed to be complete"},
		"opened by one person": {func(w *tale) {
			w.edit(5, func(d fields) { d["people"] = []any{ana, ana} })
		}, "opened stage 2 (100 %) on the word of 1 people (ana); it needs 2"},
		"one person approves twice": {func(w *tale) {
			w.bundle.Rollout.Approvals = append(w.bundle.Rollout.Approvals, w.bundle.Rollout.Approvals[0])
		}, "approval of ben: is counted twice"},
		"author approves": {func(w *tale) { w.bundle.Rollout.Author.Id = "p-ben" }, "is the word of who asked for it"},
		"proposer approves": {func(w *tale) {
			w.bundle.Rollout.Author.Id, w.bundle.Rollout.Proposer.Id = "p-eve", "p-ben"
		}, "is the word of who asked for it"},
		"nobody approves":       {func(w *tale) { w.bundle.Rollout.Approvals[0].By.Id = "" }, "does not say whose it is"},
		"approval made up":      {func(w *tale) { w.bundle.Rollout.Approvals[0].By.Name = "eve" }, "approval of eve: is not in the log"},
		"approval for no stage": {func(w *tale) { w.bundle.Rollout.Approvals[0].UpTo = 2 }, "is for stage 3, which is not there"},
		"approval for less":     {func(w *tale) { w.bundle.Rollout.Approvals[0].UpTo = 0 }, "stage 2 needs the word of 2 people; 1 stand behind it (ana)"},
		"plan asks for more": {func(w *tale) {
			w.plan.Stages[1].Approvals = 3
			w.edit(0, func(d fields) { d["plan"] = w.plan })
		}, "needs the word of 3 people"},
		"glass not in the log": {func(w *tale) {
			w.bundle.Rollout.BreakGlass = []api.BreakGlass{{At: w.at, Action: "start"}}
		}, "0 times by the log, 1 times by the rollout"},
		"glass kept from the rollout": {func(w *tale) { w.entries[5].What = "rollout.break-glass" }, "1 times by the log, 0 times by the rollout"},
		"begins in the middle":        {func(w *tale) { w.entries = w.entries[1:] }, "not with the making of the rollout"},
		"ends with something else": {func(w *tale) {
			w.entries = append(w.entries, audit.Entry{At: w.at, Who: "ops", What: "token.create", Subject: "another"})
		}, "ends with entry 14, which is about another"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTale(t)
			c.lie(w)
			r := w.verify(w.tell())
			if r.Holds || !strings.Contains(words(r, false), c.says) {
				t.Errorf("holds: %t; %q is not said:\n%s", r.Holds, c.says, words(r, false))
			}
		})
	}
}

// Each kind of tampering with a bundle that a service has written.
func TestTamperedBundleIsFoundOut(t *testing.T) {
	flip := func(b *format.Bundle, path string) {
		body := slices.Clone(b.Files[path])
		body[len(body)/2] ^= 1
		b.Files[path] = body
	}
	release := func(w *tale) string { return layout.TargetFile(w.release.Path, w.release.SHA256) }
	for name, c := range map[string]struct {
		tamper func(*tale, *format.Bundle)
		says   string
	}{
		"root flipped":      {func(_ *tale, b *format.Bundle) { flip(b, "metadata/1.root.json") }, "signed metadata: "},
		"timestamp flipped": {func(_ *tale, b *format.Bundle) { flip(b, layout.TimestampFile) }, "signed metadata: "},
		"timestamp missing": {func(_ *tale, b *format.Bundle) { delete(b.Files, layout.TimestampFile) }, "is not in the bundle"},
		"snapshot flipped":  {func(_ *tale, b *format.Bundle) { flip(b, "metadata/1.snapshot.json") }, "signed metadata: "},
		"releases flipped":  {func(_ *tale, b *format.Bundle) { flip(b, "metadata/2.releases-phone.json") }, "signed metadata: "},
		"rollouts missing":  {func(_ *tale, b *format.Bundle) { delete(b.Files, "metadata/1.rollouts.json") }, "is not in the bundle"},
		"release flipped":   {func(w *tale, b *format.Bundle) { flip(b, release(w)) }, "signed metadata: "},
		"release missing":   {func(w *tale, b *format.Bundle) { delete(b.Files, release(w)) }, "is not in the bundle"},
		"another system":    {func(w *tale, _ *format.Bundle) { w.anchor.SHA256 = strings.Repeat("00", 32) }, "signed metadata: "},
		"no issue time":     {func(w *tale, _ *format.Bundle) { w.stamp(w.at, nil) }, "does not say when it was issued"},
		"issued after its end": {func(w *tale, _ *format.Bundle) {
			w.stamp(w.at, fields{layout.FieldIssued: manifests.At(w.at.AddDate(0, 0, 3)).String()})
		}, "issued after its own end"},
		"row changed": {func(_ *tale, b *format.Bundle) { b.Rows[2].Who = "ana" }, "audit log: audit log: entry 9 "},
		"row removed": {func(_ *tale, b *format.Bundle) { b.Rows = slices.Delete(b.Rows, 3, 4) }, "entry 10 is missing"},
		"row rewritten": {func(_ *tale, b *format.Bundle) {
			b.Rows[2].Who = "eve"
			b.Rows[2].Hash = b.Rows[2].Sum()
		}, "entry 10 (token.create by ops) does not follow from entry 9"},
		"end cut off":   {func(_ *tale, b *format.Bundle) { b.Rows = b.Rows[:6] }, "history: leads to active, stage 2"},
		"another head":  {func(_ *tale, b *format.Bundle) { b.Head.Hash = manifests.SumSHA256(nil) }, "its head (entry 13) is not what"},
		"earlier head":  {func(_ *tale, b *format.Bundle) { b.Head.Seq = 9 }, "its head (entry 9) is not what"},
		"state claimed": {func(_ *tale, b *format.Bundle) { b.Rollout.State = "active" }, "is claimed to be active"},
		"share claimed": {func(_ *tale, b *format.Bundle) { b.Rollout.SharePPM = 1 }, "is claimed to be halted, stage 2, 0.0001 %"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTale(t)
			b := w.tell()
			c.tamper(w, b)
			r := w.verify(b)
			if r.Holds || !strings.Contains(words(r, false), c.says) {
				t.Errorf("holds: %t; %q is not said:\n%s", r.Holds, c.says, words(r, false))
			}
		})
	}
}

func TestLaterHeadIsHeldOpen(t *testing.T) {
	w := newTale(t)
	b := w.tell()
	b.Head = format.Head{Seq: 99, Hash: manifests.SumSHA256([]byte("later"))}
	r := w.verify(b)
	if !r.Holds || !slices.ContainsFunc(r.NotCovered, func(s string) bool { return strings.Contains(s, "Entries of the log after the last") }) {
		t.Errorf("%s\n%q", words(r, false), r.NotCovered)
	}
	if !r.Issued.Equal(w.at.Truncate(time.Second)) {
		t.Error(r.Issued)
	}
}
