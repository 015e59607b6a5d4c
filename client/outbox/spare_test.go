package outbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
)

// sets gives of which sets requests under a path were, in order, since the last
// call.
func (h *handset) sets(path string) string {
	h.t.Helper()
	var out []string
	for _, r := range h.service.requests("") {
		if r.path != path {
			continue
		}
		for _, set := range []string{"primary", "spare"} {
			if strings.Contains(string(r.body), `"set":"`+set+`"`) {
				out = append(out, set)
			}
		}
	}
	return strings.Join(out, " ")
}

// retire has the service take no more votes and give no more tokens of a set.
func (h *handset) retire(set string) {
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if strings.Contains(string(body), `"set":"`+set+`"`) {
			problem(w, http.StatusConflict, api.CodeKeyRetired)
			return true
		}
		return false
	})
}

// settle sends until nothing is left to send; what a service refuses is no
// failure here.
func (h *handset) settle() {
	h.t.Helper()
	for range 50 {
		next := h.Next()
		if next.IsZero() {
			return
		}
		if next.After(h.now) {
			h.now = next
		}
		if err := h.Send(h.t.Context()); err != nil {
			h.t.Log(err)
		}
	}
}

func TestSignedSwitchMovesWhatWasNotAcknowledged(t *testing.T) {
	h := reporting(t) // with its tokens of the first keys
	h.report(vote.Attempt, attempt, time.Hour)
	h.must(h.UseSpare(ref, h.rules, time.Minute))
	h.restart() // a new process knows of it
	for range 2 {
		h.must(h.UseSpare(ref, h.rules, time.Minute))
	}
	h.retire("primary")
	h.settle()
	h.report(vote.Trial, healthy, 0)
	h.settle()
	if h.counted() != 2 || len(h.Refused()) != 0 || h.Waiting() != 0 {
		t.Fatalf("%d counted, %v", h.counted(), h.Refused())
	}
	if got := h.sets("/v1/votes"); got != "spare spare" {
		t.Errorf("votes were cast as %q", got)
	}
}

// TestRefusedForItsKeysIsTakenUp: after a restore a handset is refused until the
// engineers have signed.
func TestRefusedForItsKeysIsTakenUp(t *testing.T) {
	h := reporting(t)
	h.retire("primary")
	h.report(vote.Attempt, attempt, 0)
	h.report(vote.Trial, healthy, 0)
	h.settle()
	if h.counted() != 0 || len(h.Refused()) != 2 || !h.Acknowledged(ref, vote.Attempt) {
		t.Fatalf("%d counted, %v", h.counted(), h.Refused())
	}
	h.must(h.UseSpare(ref, h.rules, 0))
	h.settle()
	if h.counted() != 2 || len(h.Refused()) != 0 {
		t.Errorf("%d counted, %v", h.counted(), h.Refused())
	}
}

// TestWhatHappensBeforeTheSwitchIsSignedIsKept: the service gives no tokens of
// the first keys any more when the update is installed.
func TestWhatHappensBeforeTheSwitchIsSignedIsKept(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.retire("primary")
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	h.settle()
	h.report(vote.Attempt, attempt, 0)
	if !h.Acknowledged(ref, vote.Attempt) {
		t.Error("the update waits for a vote that nobody takes")
	}
	h.report(vote.Trial, healthy, 0)
	h.settle()
	if h.counted() != 0 {
		t.Fatalf("%d counted", h.counted())
	}
	h.restart()
	h.must(h.UseSpare(ref, h.rules, 0))
	h.settle()
	if got := h.sets("/v1/votes"); got != "spare spare" || h.counted() != 2 {
		t.Errorf("votes were cast as %q, %d are counted", got, h.counted())
	}
}

// TestAcknowledgedIsNotSaidAgain: a handset is counted once, whatever became of
// the first count; and its trial does not stand for the silence of another one.
func TestAcknowledgedIsNotSaidAgain(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	h.settle()
	if h.counted() != 1 {
		t.Fatal("the attempt is not counted")
	}
	h.report(vote.Trial, healthy, time.Hour)
	h.sets("")
	h.must(h.UseSpare(ref, h.rules, 0))
	h.retire("primary")
	h.settle()
	h.report(vote.Regression, regression, 0)
	h.settle()
	if got := h.sets("/v1/votes"); got != "spare" || h.counted() != 2 {
		t.Errorf("votes were cast as %q, %d are counted", got, h.counted())
	}
	if refused := h.Refused(); len(refused) != 1 || !strings.Contains(refused[0], "trial of phone build 43: the release's vote keys were replaced") {
		t.Errorf("%v", refused)
	}
}

// TestSwitchIsForGoodAndWaitsForTheService: nothing leads back, and a service
// that has not heard of it yet is asked again.
func TestSwitchIsForGoodAndWaitsForTheService(t *testing.T) {
	h := reporting(t)
	h.must(h.UseSpare(ref, h.rules, 0))
	h.retire("spare")
	h.report(vote.Attempt, attempt, 0)
	for range 3 {
		if err := h.Send(t.Context()); err == nil {
			t.Fatal("no error")
		}
		h.must(h.Prepare(t.Context(), ref, h.rules, 0))
		h.now = h.Next()
	}
	if len(h.Refused()) != 0 || h.Waiting() != 1 {
		t.Fatalf("given up: %v", h.Refused())
	}
	h.service.intercept(nil)
	h.settle()
	if got := h.sets("/v1/votes"); got != "spare" || h.counted() != 1 {
		t.Errorf("votes were cast as %q, %d are counted", got, h.counted())
	}
}

func TestSwitchWithReportingOffMakesNothing(t *testing.T) {
	h := newHandset(t)
	h.must(h.UseSpare(ref, h.rules, 0))
	h.must(h.Send(t.Context()))
	if n := len(h.service.requests("")); n != 0 || !h.Next().IsZero() {
		t.Errorf("%d requests", n)
	}
}
