package evidence_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	format "github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/evidence"
)

const rolloutID = "43-test"

// tale is a rollout as it went, from which a bundle is made. Tests change it
// before that, or the bundle afterwards.
type tale struct {
	*system
	plan    rollout.Plan
	entries []audit.Entry // without numbers and hashes
	entry   rollout.Rollout
	told    bool // whether handsets are told of it
	at      time.Time
	bundle  format.Bundle
}

type fields = map[string]any

var (
	ana = fields{"id": "p-ana", "name": "ana"}
	ben = fields{"id": "p-ben", "name": "ben"}
)

// goodVotes pass every rule; badVotes halt.
func goodVotes() verdict.Counts {
	return verdict.Counts{Attempts: 2000, Trials: 2000, Healthy: 2000, Due: 2000}
}

func badVotes() verdict.Counts {
	return verdict.Counts{Attempts: 2100, Trials: 2100, Healthy: 1900, RolledBack: 200, Due: 2100, Reasons: map[vote.Reason]int64{"boot_loop": 200}}
}

// newTale is a rollout that two people opened, that the engine widened on a
// pass and then halted.
func newTale(t testing.TB) *tale {
	day := manifests.Duration{Duration: 24 * time.Hour}
	w := &tale{system: newSystem(t), told: true, at: noon.Add(48 * time.Hour)}
	w.plan = rollout.Plan{
		Product: "phone", Build: 43, Channel: "stable", Kind: manifests.KindNormal, Deferral: day,
		Stages: []rollout.Stage{{Share: 10_000, Soak: day}, {Share: manifests.WholeFleet}},
	}
	w.row("ana", "rollout.create", fields{"plan": w.plan, "release": w.release, "state": "draft", "stage": 0})
	w.row("ana", "rollout.propose", fields{"action": "propose", "state": "proposed", "stage": 0, "people": []any{ana}})
	w.row("ben", "rollout.approve", fields{"action": "approve", "state": "approved", "stage": 0, "people": []any{ana, ben}})
	w.entries = append(w.entries, audit.Entry{At: w.at, Who: "ops", What: "token.create", Subject: "another"})
	w.row("ana", "rollout.start", fields{"action": "start", "state": "active", "stage": 0, "sharePPM": 10_000, "people": []any{ana, ben}})
	w.row("engine", "rollout.advance", w.judged(0, goodVotes(), fields{"action": "advance", "state": "active", "stage": 1, "sharePPM": 1_000_000, "people": []any{ana, ben}}))
	w.row("engine", "rollout.halt", w.judged(1, badVotes(), fields{"action": "halt", "state": "halted", "stage": 1, "sharePPM": 1_000_000, "people": []any{ana, ben}}))
	w.entry = rollout.Rollout{
		ID: rolloutID, Release: w.release, Build: 43, Channel: "stable", State: rollout.Halted, Stage: 1, Share: manifests.WholeFleet,
		Kind: manifests.KindNormal, Deferral: day,
	}
	w.bundle = format.Bundle{
		Spec: format.Spec, ID: rolloutID, Product: "phone", Build: 43, Made: manifests.At(w.at), ApprovalShare: 100_000, Counts: badVotes(),
		Rollout: api.Rollout{
			Id: rolloutID, Product: "phone", Build: 43, State: "halted", Stage: 1, SharePPM: 1_000_000, StageSince: &w.at, Version: 6,
			Author: api.Person{Id: "p-ana", Name: "ana"}, Proposer: &api.Person{Id: "p-ana", Name: "ana"}, BreakGlass: []api.BreakGlass{},
			Approvals: []api.Approval{{By: api.Person{Id: "p-ben", Name: "ben"}, At: w.at, UpTo: 1}},
			Stages:    []api.Stage{{SharePPM: 10_000, Soak: "1d"}, {SharePPM: 1_000_000, Soak: "0s"}},
		},
	}
	return w
}

// row adds an entry about the rollout.
func (w *tale) row(who, what string, detail fields) {
	w.t.Helper()
	data, err := json.Marshal(detail)
	w.must(err)
	w.entries = append(w.entries, audit.Entry{At: w.at, Who: who, What: what, Subject: rolloutID, Why: "because", Detail: data})
}

// judged adds to a detail what the service records of a verdict at a stage.
func (w *tale) judged(stage int, counts verdict.Counts, detail fields) fields {
	rules := verdict.Rules{Guard: w.plan.Guard, MinToHalt: 5, Pass: w.plan.PassLimit(stage)}
	e := verdict.Evidence{Counts: counts, Share: w.plan.Stages[stage].Share}
	detail["rules"], detail["evidence"], detail["verdict"] = rules, e, verdict.Judge(rules, e)
	return detail
}

// edit changes the detail of the n-th entry, counted from 0.
func (w *tale) edit(n int, change func(d fields)) {
	w.t.Helper()
	var d fields
	w.must(json.Unmarshal(w.entries[n].Detail, &d))
	change(d)
	data, err := json.Marshal(d)
	w.must(err)
	w.entries[n].Detail = data
}

// tell signs what is told, chains the log and makes the bundle.
func (w *tale) tell() *format.Bundle {
	w.t.Helper()
	if w.told {
		w.offer(w.at, w.entry)
	} else {
		w.offer(w.at)
	}
	b := w.bundle
	b.Files, b.Rows = w.files, nil
	prev := manifests.SumSHA256([]byte("before"))
	for i, e := range w.entries {
		e.Seq, e.Prev = int64(7+i), prev
		e.Hash = e.Sum()
		prev = e.Hash
		b.Rows = append(b.Rows, format.Row{Entry: e})
		b.Head = format.Head{Seq: e.Seq, Hash: e.Hash}
	}
	if b.Rollout.Plan == nil {
		data, err := json.Marshal(w.plan)
		w.must(err)
		w.must(json.Unmarshal(data, &b.Rollout.Plan))
	}
	return &b
}

// verify sends a bundle through its file, as an auditor gets it.
func (w *tale) verify(b *format.Bundle) *evidence.Report {
	w.t.Helper()
	data, err := b.Encode()
	w.must(err)
	b, err = format.Parse(data)
	w.must(err)
	return evidence.Verify(context.Background(), b, w.anchor)
}

// words are all findings that hold, or all that do not.
func words(r *evidence.Report, hold bool) string {
	var out []string
	for _, f := range r.Findings {
		if f.Holds == hold {
			out = append(out, f.Subject+": "+f.Words)
		}
	}
	return strings.Join(out, "\n")
}
