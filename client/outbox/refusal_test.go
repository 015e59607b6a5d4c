package outbox_test

import (
	"go/build"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
)

// refuse answers requests to a path whose body holds a text with a problem.
func (h *handset) refuse(path, holding string, status int, code string) {
	h.service.intercept(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.URL.Path != path || !strings.Contains(string(body), holding) {
			return false
		}
		problem(w, status, code)
		return true
	})
}

func TestTrialDoesNotWaitForAnAttemptThatGetsNoToken(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	h.report(vote.Attempt, attempt, 0)
	h.report(vote.Trial, healthy, 0)
	if h.Waiting() != 2 {
		t.Fatalf("%d votes wait", h.Waiting())
	}
	h.refuse("/v1/tokens", `"class":"attempt"`, http.StatusConflict, api.CodeAlreadyIssued)
	if err := h.Send(t.Context()); err == nil || !strings.Contains(err.Error(), api.CodeAlreadyIssued) {
		t.Fatalf("got %v", err)
	}
	if h.counted() != 0 || h.Waiting() != 0 || !h.Acknowledged(ref, vote.Attempt) || !h.Acknowledged(ref, vote.Trial) {
		t.Fatalf("%d counted, %d wait; %v", h.counted(), h.Waiting(), h.Refused())
	}
}

func TestKeyThatIsTooYoungIsShownAgainAfterAnHour(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	h.report(vote.Attempt, attempt, 0)
	h.refuse("/v1/tokens", "", http.StatusForbidden, api.CodeTooYoung)
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if wait := h.Next().Sub(h.now); wait < time.Hour || wait > 2*time.Hour {
		t.Fatalf("asks again after %s", wait)
	}
	h.service.intercept(nil)
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatalf("not counted: %v", h.Refused())
	}
}

func TestTooManyRequestsIsNeverTheLastWord(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	h.refuse("/v1/votes", "", http.StatusTooManyRequests, api.CodeConflict)
	if err := h.Send(t.Context()); err == nil || h.Waiting() != 1 || len(h.Refused()) != 0 {
		t.Fatalf("got %v; %v", err, h.Refused())
	}
	h.service.intercept(nil)
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatal("not counted")
	}
}

func TestReplayOfAVoteWhoseAnswerWasLostIsCountedOnce(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	h.service.intercept(func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		if code := h.service.answer(discard{}, r.URL.Path, body); code != "" {
			t.Error(code)
		}
		panic(http.ErrAbortHandler)
	})
	if err := h.Send(t.Context()); err == nil || h.Acknowledged(ref, vote.Attempt) {
		t.Fatalf("got %v", err)
	}
	h.service.intercept(nil)
	h.restart()
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	seen := h.service.requests("/v1/votes")
	if len(seen) != 2 || !slices.Equal(seen[0].body, seen[1].body) || h.counted() != 1 || len(h.Sent()) != 1 {
		t.Fatalf("%d requests, or they differ; %d counted, shown %v", len(seen), h.counted(), h.Sent())
	}
}

func TestOptInWaitsWhenTooManyWithdrawalsDo(t *testing.T) {
	h := newHandset(t)
	h.service.Close()
	for range 64 {
		h.must(h.OptIn(h.credential))
		if err := h.Enrol(t.Context()); err == nil {
			t.Fatal("enrolled without a network")
		}
		if err := h.OptOut(t.Context()); err == nil {
			t.Fatal("told without a network")
		}
	}
	if err := h.OptIn(h.credential); err == nil || h.Enabled() {
		t.Fatalf("got %v", err)
	}
}

// The generated client of the whole contract has no place on a handset, so the
// codes are written out; here they are held against the contract.
func TestCodesAreThoseOfTheContract(t *testing.T) {
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(p.Imports, func(s string) bool { return strings.HasSuffix(s, "/manifests/api") }) {
		t.Error("the generated client is linked")
	}
	for _, code := range []string{
		api.CodeBadRequest, api.CodeForbidden, api.CodeNotFound, api.CodeConflict, api.CodeTooLarge,
		api.CodeBadCredential, api.CodeBatchRevoked, api.CodeAlreadyIssued, api.CodeBadElement,
		api.CodeBadToken, api.CodeAlreadyVoted, api.CodeVotingClosed,
	} {
		t.Run(code, func(t *testing.T) {
			h := reporting(t)
			h.report(vote.Regression, regression, 0)
			h.refuse("/v1/votes", "", http.StatusConflict, code)
			if err := h.Send(t.Context()); err == nil || h.Waiting() != 0 || len(h.Refused()) != 1 {
				t.Fatalf("got %v; %v", err, h.Refused())
			}
		})
	}
}
