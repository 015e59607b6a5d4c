package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/dashboard/plain"
)

// everything that an admin can read about a rollout of build 42, in all the ways
// that there are, by where it was read.
func (w *world) everything(id string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, path := range []string{
		"/v1/overview", "/v1/rollouts", "/v1/rollouts?limit=50", "/v1/rollouts/" + id, "/v1/rollouts/" + id + "/health", "/v1/rollouts/" + id + "/timeline",
		"/v1/rollouts/" + id + "/evidence", "/v1/products/phone/versions", "/v1/products/phone/releases",
		"/v1/products/phone/releases/42", "/v1/products/phone/releases/42/counts", "/v1/products/phone/releases/42/lab-reports",
		"/v1/audit?limit=500", "/v1/audit/export", "/v1/system", plain.Root, plain.Root + "/rollouts/" + id,
	} {
		status, _, body := w.call(auth.Admin, "GET", path, nil)
		if status != http.StatusOK {
			w.t.Fatalf("%s: %d %s", path, status, body)
		}
		out[path] = string(body)
	}
	rec := httptest.NewRecorder()
	w.api.Admin().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	out["figures"] = rec.Body.String()
	return out
}

// leaks fails for each answer in which one of some texts stands.
func leaks(t *testing.T, why string, answers map[string]string, texts ...string) {
	t.Helper()
	for where, body := range answers {
		for _, text := range texts {
			if i := strings.Index(body, text); i >= 0 {
				t.Errorf("%s: %s tells %q: …%s…", why, where, text, body[max(0, i-200):min(len(body), i+100)])
			}
		}
	}
}

// People act when they like, and what they do is recorded with the numbers of
// that moment. Neither the record nor a refusal tells them more than a page does,
// or each report could be seen to land, and what its handset met.
func TestNobodyMakesTheServerTellASmallNumber(t *testing.T) {
	w := hourly(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.as(auth.Admin, id, "approve", "")
	w.cast(42, healthy, 31)
	w.wait(25 * time.Hour) // past soak and pace: only the votes keep it from going on
	if n := w.health(id).Counts.Trials; n != 31 {
		t.Fatalf("%d trials are shown", n)
	}
	w.cast(42, looped, 3)
	w.cast(42, healthy, 3)
	w.attempts(42, 5, w.now())
	fresh := []string{`"trials":37`, `"rolledBack":3`, `"attempts":5`, "37 outcomes", "3 failures", "boot_loop", "candor_rollout_attempts{product=\"phone\"} 5"}
	p := w.refused(http.StatusConflict, contract.CodeUndecided, auth.Operator, "POST", "/v1/rollouts/"+id+"/advance", map[string]string{})
	leaks(t, "a refusal within the hour", map[string]string{"advance": *p.Detail}, fresh...)
	for _, action := range []string{"pause", "resume", "note"} {
		w.change(id, action, "let us see")
	}
	leaks(t, "within the hour", w.everything(id), fresh...)
	w.wait(time.Hour)
	if n := w.health(id).Counts.RolledBack; n != 3 {
		t.Fatalf("%d failures are shown", n)
	}
	w.change(id, "pause", "let us see again")
	leaks(t, "3 votes", w.everything(id), "boot_loop")
}

// The engine's own records leave small parts out as well, unless the verdict
// rests on one.
func TestAnAdvanceByTheEngineRecordsNoSmallNumber(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	w.as(auth.Admin, id, "approve", "")
	w.cast(42, healthy, 900)
	w.cast(42, looped, 2)
	w.wait(25 * time.Hour)
	w.attempts(42, 902, w.now().Add(-25*time.Hour))
	w.tick()
	if r := w.look(id); r.Stage != 1 || r.State != contract.Active {
		t.Fatalf("%s, stage %d: %v", r.State, r.Stage, r.Outlook)
	}
	answers := w.everything(id)
	leaks(t, "2 votes", answers, "boot_loop")
	if !strings.Contains(answers["/v1/rollouts/"+id+"/timeline"], `"rolledBack":2`) {
		t.Error("the total is not on record")
	}
}
