package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

const key = "Idempotency-Key"

// over serves from another process's view of the same stores.
func (w *world) over(l store.Ledger) {
	w.t.Helper()
	w.http.Close()
	w.must(w.api.Close())
	var err error
	w.api, err = api.Assemble(ctx, api.Parts{
		Ledger: l, Blobs: w.blobs, Keys: w.keys, Master: vote.Master{1}, UploadDir: filepath.Join(w.dir, "uploads"),
		Now: w.now, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	w.must(err)
	w.http = httptest.NewServer(w.api)
}

// entries counts the audit log's entries of a verb.
func (w *world) entries(what string) (n int) {
	w.t.Helper()
	w.must(w.ledger.Walk(ctx, 0, func(e store.Entry) error {
		if e.What == what {
			n++
		}
		return nil
	}))
	return n
}

func TestSameKeyAndRequestIsAnsweredTheSameAndMadeOnce(t *testing.T) {
	w := ready(t, 43)
	status, h, first := w.call(auth.Operator, "POST", "/v1/rollouts", plan(43), key, "a key")
	if status != http.StatusCreated || h.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", status, first)
	}
	w.wait(23 * time.Hour)
	again, h2, second := w.call(auth.Operator, "POST", "/v1/rollouts", plan(43), key, "a key")
	if again != status || !bytes.Equal(first, second) || h2.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s", again, second)
	}
	for _, name := range []string{"ETag", "Content-Type", "Cache-Control"} {
		if h.Get(name) == "" || h.Get(name) != h2.Get(name) {
			t.Errorf("%s was %q and is %q", name, h.Get(name), h2.Get(name))
		}
	}
	if n := w.entries("rollout.create"); n != 1 {
		t.Errorf("made %d times", n)
	}
	w.wait(2 * time.Hour)
	if status, h, _ := w.call(auth.Operator, "POST", "/v1/rollouts", plan(43), key, "a key"); status != http.StatusCreated || h.Get("Idempotency-Replayed") != "" {
		t.Errorf("after a day: %d", status)
	}
}

func TestKeyOfAnotherRequestIsRefused(t *testing.T) {
	w := ready(t, 43)
	r := get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k")
	other := plan(43)
	other["channel"] = "beta"
	w.refused(422, contract.CodeIdempotencyMismatch, auth.Operator, "POST", "/v1/rollouts", other, key, "k")
	w.refused(422, contract.CodeIdempotencyMismatch, auth.Operator, "POST", "/v1/rollouts?x=1", plan(43), key, "k")
	w.refused(422, contract.CodeIdempotencyMismatch, auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/halt", map[string]string{"reason": "x"}, key, "k")
	w.refused(422, contract.CodeIdempotencyMismatch, auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k", "If-Match", `"1"`)
	if n := w.entries("rollout.create"); n != 1 {
		t.Errorf("made %d times", n)
	}
	if mine := get[contract.Rollout](w, auth.Admin, "POST", "/v1/rollouts", plan(43), key, "k"); mine.Id == r.Id {
		t.Error("another person was given this one's answer")
	}
	w.refused(401, contract.CodeUnauthorized, "", "POST", "/v1/rollouts", plan(43), key, "k")
}

func TestRefusalsAreRepeatedToo(t *testing.T) {
	w := ready(t, 43)
	r := w.rollout(43)
	w.change(r.Id, "start", "")
	path := "/v1/rollouts/" + r.Id + "/pause"
	first := w.refused(400, contract.CodeReasonNeeded, auth.Operator, "POST", path, map[string]string{}, key, "k")
	again := w.refused(400, contract.CodeReasonNeeded, auth.Operator, "POST", path, map[string]string{}, key, "k")
	if *first.Detail != *again.Detail {
		t.Errorf("%s, then %s", *first.Detail, *again.Detail)
	}
	if _, h, _ := w.call(auth.Operator, "POST", path, map[string]string{}, key, "k"); h.Get("Idempotency-Replayed") != "true" {
		t.Error("not said to be a repetition")
	}
}

func TestKeysAreChecked(t *testing.T) {
	w := ready(t, 43)
	for _, bad := range []string{"", strings.Repeat("x", 129), "kéy"} {
		p := w.refused(400, contract.CodeBadRequest, auth.Operator, "POST", "/v1/rollouts", plan(43), key, bad)
		if !strings.HasPrefix(*p.Detail, "is one value of") { // the contract alone would not do on every route
			t.Errorf("%q: %s", bad, *p.Detail)
		}
	}
	if n := w.entries("rollout.create"); n != 0 {
		t.Errorf("made %d times", n)
	}
	get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts", plan(43), key, strings.Repeat("~", 128))
}

// crashing is a ledger that loses its process, in one way or another, between a
// change and its answer.
type crashing struct {
	store.Ledger
	finish func() error
}

func (c *crashing) FinishChange(ctx context.Context, k store.KeyedChange, a store.Answer) error {
	if c.finish != nil {
		if err := c.finish(); err != nil {
			return err
		}
	}
	return c.Ledger.FinishChange(ctx, k, a)
}

func TestChangeUnderWayIsSaidToBe(t *testing.T) {
	w := ready(t, 43)
	begun, end := make(chan struct{}), make(chan struct{})
	l := &crashing{Ledger: w.ledger, finish: func() error { close(begun); <-end; return nil }}
	w.over(l)
	done := make(chan int)
	go func() {
		status, _, _ := w.call(auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k")
		done <- status
	}()
	<-begun
	w.wait(time.Hour) // however long it takes
	w.refused(409, contract.CodeInProgress, auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k")
	if _, h, _ := w.call(auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k"); h.Get("Retry-After") == "" {
		t.Error("not said when to ask again")
	}
	close(end)
	if status := <-done; status != http.StatusCreated {
		t.Errorf("the first: %d", status)
	}
	l.finish = nil
	if _, h, _ := w.call(auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k"); h.Get("Idempotency-Replayed") != "true" || w.entries("rollout.create") != 1 {
		t.Errorf("made %d times", w.entries("rollout.create"))
	}
}

func TestCrashLocksAKeyForAMinuteAndChangesOnce(t *testing.T) {
	w := ready(t, 43)
	r := w.rollout(43)
	get[contract.Rollout](w, auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/start", map[string]string{})
	path, why := "/v1/rollouts/"+r.Id+"/halt", map[string]string{"reason": "boot loops"}
	w.over(&crashing{Ledger: w.ledger, finish: func() error { return errors.New("killed") }})
	if status, _, body := w.call(auth.Operator, "POST", path, why, key, "k"); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	w.over(w.ledger)
	w.refused(409, contract.CodeInProgress, auth.Operator, "POST", path, why, key, "k")
	w.wait(59 * time.Second)
	w.refused(409, contract.CodeInProgress, auth.Operator, "POST", path, why, key, "k")
	w.wait(time.Second)
	again := get[contract.Rollout](w, auth.Operator, "POST", path, why, key, "k")
	if again.State != "halted" || w.entries("rollout.halt") != 1 {
		t.Errorf("%s, halted %d times", again.State, w.entries("rollout.halt"))
	}
}

// panicky is a ledger that brings a handler down, or fails it.
type panicky struct {
	store.Ledger
	fail func() error
}

func (p *panicky) AddRollout(ctx context.Context, r store.Rollout, e store.Entry) (store.Rollout, error) {
	if err := p.fail(); err != nil {
		return store.Rollout{}, err
	}
	return p.Ledger.AddRollout(ctx, r, e)
}

func TestFaultsOfOursAreNotKept(t *testing.T) {
	w := ready(t, 43)
	l := &panicky{Ledger: w.ledger}
	w.over(l)
	for _, l.fail = range []func() error{
		func() error { panic("no") },
		func() error { return errors.New("the disk is full") },
	} {
		w.refused(500, contract.CodeInternal, auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k")
	}
	l.fail = func() error { return nil }
	if status, h, body := w.call(auth.Operator, "POST", "/v1/rollouts", plan(43), key, "k"); status != http.StatusCreated || h.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %s", status, body)
	}
	path := "/v1/rollouts/" + w.current(43) + "/pause" // what somebody may not do now they may do later
	for range 2 {
		if status, h, body := w.call(auth.Viewer, "POST", path, map[string]string{"reason": "x"}, key, "k2"); status != http.StatusForbidden || h.Get("Idempotency-Replayed") != "" {
			t.Errorf("%d %s", status, body)
		}
	}
}

func TestLedgerHoldsNoKeyAndNoSecret(t *testing.T) {
	w := ready(t)
	const mine = "my-own-key-of-this-change"
	made := get[contract.MadeApiToken](w, auth.Admin, "POST", "/v1/api-tokens", map[string]any{"name": "ci", "role": "viewer"}, key, mine)
	w.refused(409, contract.CodeConflict, auth.Admin, "POST", "/v1/api-tokens", map[string]any{"name": "ci", "role": "viewer"}, key, mine)
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "ledger.db"))
	w.must(err)
	defer db.Close()
	rows, err := db.Query(`SELECT who || hex(key_hash) || CAST(key_hash AS TEXT) || header || CAST(body AS TEXT) FROM idempotency`)
	w.must(err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		var text string
		w.must(rows.Scan(&text))
		if n++; strings.Contains(text, mine) || strings.Contains(text, made.Token) || made.Token == "" {
			t.Errorf("kept: %s", text)
		}
	}
	if w.must(rows.Err()); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestEveryChangeTakesAKey holds contract and routes to one another.
func TestEveryChangeTakesAKey(t *testing.T) {
	w := ready(t, 43)
	free := map[string]bool{ // of another plane, or pieces of an upload
		"enrol": true, "withdraw": true, "issueToken": true, "castVote": true, "reportLab": true, "appendUpload": true,
	}
	unsaid := map[string]bool{"previewRollout": true, "planStages": true, "logout": true, "logoutEverywhere": true, "signInWithToken": true} // nothing to repeat
	fill := strings.NewReplacer("{id}", "x", "{deviceKey}", strings.Repeat("0", 64), "{action}", "mute")
	for path, item := range loadSpec(t).Paths.Map() {
		for method, op := range item.Operations() {
			said := false
			for _, p := range op.Parameters {
				said = said || p.Value.Name == key
			}
			if said == (method == http.MethodGet || free[op.OperationID] || unsaid[op.OperationID]) {
				t.Errorf("%s %s: says that it takes a key: %t", method, path, said)
			}
			if !said {
				continue
			}
			p := w.refused(400, contract.CodeBadRequest, auth.Admin, method, fill.Replace(path), map[string]string{}, key, strings.Repeat("x", 129))
			if p.Detail == nil || !strings.HasPrefix(*p.Detail, "is one value of") {
				t.Errorf("%s %s: does not look at the key", method, path)
			}
		}
	}
}
