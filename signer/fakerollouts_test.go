package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	format "github.com/candor-ota/candor/manifests/evidence"
)

// fakeRollouts is the operator API as far as one rollout goes: each step leads
// where it is told, and scripts say what the server answers next. The real one
// is tested with the signer in scripts/world.
type fakeRollouts struct {
	now     api.Rollout
	made    map[string][]byte // answers by Idempotency-Key
	changes int               // that were made
	asked   []string          // requests, one a line
	keys    []string          // in the order of first use
	problem *api.Problem      // the next answer to a change, nil: as it should be
	failing int               // answers of 503 to come
	lost    int               // answers to changes that will not arrive
	next    []api.Rollout     // what the next looks will see
}

var fakeTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newFakeRollouts() *fakeRollouts {
	f := &fakeRollouts{made: map[string][]byte{}}
	f.now = api.Rollout{
		Id: "43-test", Product: "phone", Build: 43, Channel: new("stable"), State: "draft", Version: 1, Created: fakeTime, Changed: fakeTime,
		Author: api.Person{Id: "p1", Name: "ana"}, Approvals: []api.Approval{}, BreakGlass: []api.BreakGlass{},
		Stages: []api.Stage{{SharePPM: 10_000, Soak: "1d", MinVotes: new(50)}, {SharePPM: 1_000_000, Soak: "0s"}},
	}
	f.now.Plan = api.Plan{
		"product": "phone", "build": 43, "channel": "stable", "kind": "normal", "deferral": "7d", "spread": "30m",
		"stages": []any{map[string]any{"sharePPM": 10_000, "soak": "1d", "minVotes": 50}, map[string]any{"sharePPM": 1_000_000, "soak": "0s"}},
		"window": map[string]any{"from": "02:00", "to": "05:00"},
	}
	return f
}

func (f *fakeRollouts) routes(mux *http.ServeMux) {
	answer := func(pattern string, value func(r *http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(err)
			}
			f.note(r, bytes.TrimSpace(body))
			if !f.stumbles(w) {
				reply(w, http.StatusOK, value(r))
			}
		})
	}
	answer("GET /v1/rollouts", func(r *http.Request) any {
		list := api.RolloutList{Rollouts: []api.Rollout{}}
		if p := r.URL.Query().Get("product"); p == "" || p == f.now.Product {
			list.Rollouts = append(list.Rollouts, f.now)
		}
		return list
	})
	answer("GET /v1/rollouts/{id}", func(*http.Request) any { return f.look() })
	answer("GET /v1/rollouts/{id}/timeline", func(*http.Request) any { return f.timeline() })
	answer("GET /v1/rollouts/{id}/template", f.planFor)
	answer("GET /v1/rollouts/{id}/rescue", f.planFor)
	answer("GET /v1/products/{product}/releases/{build}/lab-reports", func(*http.Request) any {
		return api.LabReportList{Reports: []api.LabReportRow{{
			At: fakeTime, Batch: "lab", Class: "trial", Failed: true, Outcome: new("rolled_back"), Reason: new("boot_loop"), DeviceKey: strings.Repeat("ab", 32),
		}}}
	})
	answer("POST /v1/rollouts/preview", func(*http.Request) any { return f.preview() })
	answer("POST /v1/rollouts/stages", func(*http.Request) any {
		return api.StageList{Stages: []api.Stage{{SharePPM: 200, Soak: "1d", PassPPM: new(20_000)}, {SharePPM: 10_000, Soak: "1d"}}, Sentence: "Two stages keep it."}
	})
	mux.HandleFunc("GET /v1/rollouts/{id}/evidence", func(w http.ResponseWriter, r *http.Request) {
		f.note(r, nil)
		data, err := f.bundle().Encode()
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(data)
	})
	mux.HandleFunc("POST /v1/rollouts", f.change)
	mux.HandleFunc("PUT /v1/rollouts/{id}", f.change)
	mux.HandleFunc("POST /v1/rollouts/{id}/{action}", f.change)
	mux.HandleFunc("POST /v1/lab-handsets/{key}/{action}", f.change)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// note writes down what was asked; keys are numbered, since they are random.
func (f *fakeRollouts) note(r *http.Request, body []byte) {
	words := r.Method + " " + r.URL.RequestURI()
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		n := 0
		for n < len(f.keys) && f.keys[n] != key {
			n++
		}
		if n == len(f.keys) {
			f.keys = append(f.keys, key)
		}
		words += fmt.Sprintf(" key=%d", n+1)
	}
	if tag := r.Header.Get("If-Match"); tag != "" {
		words += " if-match=" + tag
	}
	f.asked = append(f.asked, strings.TrimSpace(words+" "+string(body)))
}

// stumbles answers that the server is busy, if it is to.
func (f *fakeRollouts) stumbles(w http.ResponseWriter) bool {
	if f.failing == 0 {
		return false
	}
	f.failing--
	reply(w, http.StatusServiceUnavailable, api.Problem{Title: "Service Unavailable", Code: api.CodeBusy, Status: 503, Detail: new("try again")})
	return true
}

func (f *fakeRollouts) look() api.Rollout {
	if len(f.next) > 0 {
		f.now, f.next = f.next[0], f.next[1:]
	}
	return f.now
}

// change makes a change once for each key, and may lose its answer.
func (f *fakeRollouts) change(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	f.note(r, bytes.TrimSpace(body))
	if f.stumbles(w) {
		return
	}
	if p := f.problem; p != nil {
		f.problem = nil
		reply(w, p.Status, p)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	answer, again := f.made[key]
	if !again {
		f.changes++
		answer = f.make(r.PathValue("action"), body)
		f.made[key] = answer
	}
	if f.lost > 0 {
		f.lost--
		panic(http.ErrAbortHandler)
	}
	status := http.StatusOK
	if r.PathValue("key") != "" {
		status, answer = http.StatusNoContent, nil
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

var fakeStates = map[string]api.RolloutState{
	"propose": "proposed", "approve": "approved", "reject": "draft", "start": "active", "pause": "held", "resume": "active",
	"advance": "active", "halt": "halted", "abandon": "abandoned",
}

func (f *fakeRollouts) make(action string, body []byte) []byte {
	var in api.Change
	if action != "" {
		if err := json.Unmarshal(body, &in); err != nil {
			panic(err)
		}
	}
	f.now.Version++
	f.now.Reason = in.Reason
	switch {
	case action == "resume" && f.now.State == "halted":
		f.now.Resume = &api.Approval{By: f.now.Author, At: fakeTime, Reason: in.Reason}
	case fakeStates[action] != "":
		f.now.State = fakeStates[action]
	}
	if action == "start" {
		f.now.StageSince, f.now.SharePPM = &fakeTime, 10_000
	}
	if action == "advance" {
		f.now.Stage, f.now.SharePPM = 1, 1_000_000
	}
	if action == "halt" {
		f.now.HaltBound = &api.HaltBound{At: fakeTime, Sentence: "No handset installs it after noon."}
	}
	answer, err := json.Marshal(f.now)
	if err != nil {
		panic(err)
	}
	return answer
}

func (f *fakeRollouts) planFor(r *http.Request) any {
	plan := api.Plan{}
	for k, v := range f.now.Plan {
		plan[k] = v
	}
	build, err := strconv.Atoi(r.URL.Query().Get("build"))
	if err != nil {
		panic(err)
	}
	plan["build"] = build
	return plan
}

func (f *fakeRollouts) timeline() api.Timeline {
	return api.Timeline{Entries: []api.TimelineEntry{
		{Seq: 3, At: fakeTime, Who: "ana", What: "rollout.create"},
		{Seq: 9, At: fakeTime, Who: "engine", What: "rollout.halt", Why: new("it is\x1b[2J bad"), Detail: &map[string]any{
			"state": "halted", "stage": 0, "sharePPM": 10_000, "verdict": map[string]any{"outcome": "halt", "sentence": "5 failures in 9 outcomes"},
		}},
	}}
}

func (f *fakeRollouts) preview() api.Preview {
	return api.Preview{
		OptInPPM: 120_000, OptInSource: "given", BadBuildPPM: 30_000, Harmed: 41.6, HarmedAtMost: 300, EarliestFinish: &fakeTime,
		Warnings: []string{"stage 1 is small"}, Sentence: "Two stages.",
		Stages: []api.StagePreview{
			{SharePPM: 10_000, Handsets: 10_000, Votes: 1200, VotesToPass: new(int64(294)), Decides: true, Approvals: 1, Earliest: &fakeTime, HaltedChance: new(float32(0.9))},
			{SharePPM: 1_000_000, Handsets: 1_000_000, Votes: 120_000, Approvals: 2, Earliest: &fakeTime, WaitsForPace: new(true), Sample: new("it would install"), SampleCode: new("offer")},
		},
	}
}

// bundle is well formed, and proves nothing.
func (f *fakeRollouts) bundle() *format.Bundle {
	e := audit.Entry{At: fakeTime, Who: "ana", What: "rollout.create", Subject: f.now.Id, Seq: 3}
	e.Hash = e.Sum()
	return &format.Bundle{
		Spec: format.Spec, ID: manifests.Name(f.now.Id), Product: "phone", Build: 43, Made: manifests.At(fakeTime), Rollout: f.now,
		ApprovalShare: 100_000, Rows: []format.Row{{Entry: e}}, Head: format.Head{Seq: e.Seq, Hash: e.Hash},
	}
}

const serverKey = "fake server"

func fakeOf(ts *testscript.TestScript) (*fakeServer, func()) {
	s := ts.Value(serverKey).(*fakeServer)
	s.mu.Lock()
	return s, s.mu.Unlock
}

// serverDoes says what the server does next:
//
//	server refuse STATUS CODE DETAIL   refuses the next change
//	server busy N                      answers 503 so many times
//	server lose N                      makes changes, but their answers are lost
//	server reset                       is as it was in the beginning
//	server state STATE [REASON]        puts the rollout there
//	server then STATE STAGE [SENTENCE] the next look but those before sees this
//	server asked FILE                  writes what it was asked since
func serverDoes(ts *testscript.TestScript, _ bool, args []string) {
	s, unlock := fakeOf(ts)
	defer unlock()
	f := s.rollouts
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		ts.Check(err)
		return n
	}
	switch args[0] {
	case "refuse":
		f.problem = &api.Problem{Title: http.StatusText(number(1)), Status: number(1), Code: args[2], Detail: &args[3]}
	case "busy":
		f.failing = number(1)
	case "lose":
		f.lost = number(1)
	case "reset":
		*f = *newFakeRollouts()
	case "state":
		f.now.State = api.RolloutState(args[1])
		if len(args) > 2 {
			f.now.Reason = &args[2]
		}
	case "then":
		f.next = append(f.next, f.seen(args[1], number(2), args[3:]))
	case "asked":
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(f.asked, "\n")+"\n"+fmt.Sprintf("%d changes\n", f.changes)), 0o644))
		f.asked = nil
	default:
		ts.Fatalf("server cannot %s", args[0])
	}
}

// seen is the rollout as a later look will see it.
func (f *fakeRollouts) seen(state string, stage int, sentence []string) api.Rollout {
	r := f.now
	r.State, r.Stage, r.StageSince = api.RolloutState(state), stage-1, &fakeTime
	r.SharePPM = r.Stages[r.Stage].SharePPM
	r.Outlook = &api.Outlook{Waits: []api.Wait{}, Findings: []api.Finding{}}
	if len(sentence) > 0 {
		r.Outlook.Sentence = sentence[0]
		if state == "halted" {
			r.Reason = &sentence[0]
		}
	}
	return r
}

// exits runs a command that ends with an exit status: exits 3 candor-signer …
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, expected %d", got, want)
	}
}

// examplePlan writes the plan of the fake rollout.
func examplePlan(dir string) error {
	plan := `product: phone
build: 43
channel: stable
stages:
  - {sharePPM: 10000, soak: 1d, minVotes: 50}
  - {sharePPM: 1000000, soak: 0s}
kind: normal
deferral: 7d
spread: 30m
`
	return os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(plan), 0o644)
}
