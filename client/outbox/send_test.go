package outbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

func TestVoteIsCountedOnceAndShownToTheOwner(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	if h.Acknowledged(ref, vote.Attempt) {
		t.Fatal("acknowledged before it was sent")
	}
	h.must(h.Send(t.Context()))
	h.report(vote.Trial, healthy, 0)
	h.report(vote.Attempt, attempt, 0) // again: nothing
	h.restart()
	h.must(h.Send(t.Context()))
	h.must(h.Send(t.Context()))
	if n := len(h.service.requests("/v1/votes")); n != 2 || h.counted() != 2 || !h.Acknowledged(ref, vote.Trial) {
		t.Fatalf("%d votes sent, %d counted", n, h.counted())
	}
	sent := h.Sent()
	if len(sent) != 2 || sent[1].Vote != healthy || !sent[1].Counted || sent[1].Class != vote.Trial {
		t.Fatalf("sent %v", sent)
	}
	want := `2026-01-02T03:04:05Z trial of phone build 43: {"attempts":"1","duration":"<1h","fromClass":"n-1","outcome":"installed_healthy","reason":"none","v":1} (counted)`
	if got := sent[1].String(); got != want {
		t.Errorf("got %s", got)
	}
	if q := read(t, h.dir, "queue.json") + read(t, h.dir, "sent.json"); strings.Count(q, `"token"`) != 2 || strings.Contains(q, "nonce") {
		t.Errorf("nonces of counted votes are left: %s", q)
	}
}

func TestNonceIsOnTheMediumBeforeTheFirstRequest(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	requests := 0
	h.service.intercept(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.URL.Path != "/v1/tokens" {
			return false
		}
		requests++
		if !storedFor(t, h.dir, body) {
			t.Error("the request left before its nonce was stored")
		}
		if h.service.answer(discard{}, r.URL.Path, body) != "" {
			t.Error("refused")
		}
		panic(http.ErrAbortHandler) // the power goes before the answer comes
	})
	for range 4 {
		if err := h.Send(t.Context()); err == nil {
			t.Fatal("no error")
		}
		h.restart()
		h.now = h.Next()
	}
	h.service.intercept(nil)
	h.must(h.Send(t.Context()))
	h.report(vote.Attempt, attempt, 0)
	h.must(h.Send(t.Context()))
	if requests != 4 || h.counted() != 1 {
		t.Fatalf("%d requests, %d counted", requests, h.counted())
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// storedFor looks for the nonce and blind that give the element of a request.
func storedFor(t *testing.T, dir string, body []byte) bool {
	t.Helper()
	r, err := vote.ParseIssue(body)
	if err != nil {
		t.Error(err)
		return false
	}
	text := read(t, dir, "queue.json")
	for {
		_, rest, ok := strings.Cut(text, `"pending":`)
		if !ok {
			return false
		}
		object, _, _ := strings.Cut(rest, "}")
		var p vote.Pending
		if err := strict.Decode([]byte(object+"}"), 1024, &p); err != nil {
			t.Error(err)
		}
		if b, err := p.Blinded(); err == nil && b == r.Blinded {
			return true
		}
		text = rest
	}
}

func TestAnyKeyButTheSignedOneIsRefused(t *testing.T) {
	h := newHandset(t)
	h.service.master = vote.Master{9}
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	err := h.Send(t.Context())
	if err == nil || !strings.Contains(err.Error(), vote.ErrProof.Error()) {
		t.Fatalf("got %v", err)
	}
	h.report(vote.Attempt, attempt, 0)
	h.must(h.Send(t.Context()))
	if len(h.service.requests("/v1/votes")) != 0 {
		t.Fatal("a vote was cast with a token of a foreign key")
	}
	h.service.master = master
	h.now = h.now.Add(time.Hour)
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatal("the right key is not used afterwards")
	}
}

func TestBadVoteKeysRefused(t *testing.T) {
	h := reporting(t)
	bad := *h.rules.Primary
	bad.Trial = manifests.VoteKey{0xff}
	if err := h.Prepare(t.Context(), vote.Ref{Product: "phone", Build: 44}, manifests.VoteRules{Primary: &bad}, 0); err == nil || !strings.Contains(err.Error(), "trial") {
		t.Fatalf("got %v", err)
	}
}

func TestTrialLeavesOnlyAfterItsAttemptWasCounted(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, time.Hour)
	h.report(vote.Trial, healthy, 0)
	h.must(h.Send(t.Context()))
	if n := len(h.service.requests("/v1/votes")); n != 0 {
		t.Fatalf("%d votes sent", n)
	}
	h.now = h.now.Add(time.Hour)
	h.must(h.Send(t.Context()))
	seen := h.service.requests("/v1/votes")
	if len(seen) != 2 || !strings.Contains(string(seen[0].body), `"attempt"`) || !strings.Contains(string(seen[1].body), `"trial"`) {
		t.Fatalf("%d votes sent, or in the wrong order", len(seen))
	}
}

func TestTrialWithoutAnAttemptLeaves(t *testing.T) {
	h := reporting(t)
	h.report(vote.Trial, healthy, 0)
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatal("not counted")
	}
}

func TestTrialOfARefusedAttemptIsNotSent(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	h.report(vote.Trial, healthy, 0)
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		problem(w, http.StatusConflict, api.CodeAlreadyVoted)
		return true
	})
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	h.now = h.now.Add(48 * time.Hour)
	h.must(h.Send(t.Context()))
	if n := len(h.service.requests("/v1/votes")); n != 1 || len(h.Refused()) != 2 || !strings.Contains(h.Refused()[1], "its attempt was refused: already-voted") {
		t.Fatalf("%d votes sent; %v", n, h.Refused())
	}
	if !h.Acknowledged(ref, vote.Attempt) {
		t.Fatal("arming would wait for a vote that never comes")
	}
}

// AMENDMENTS H12.
func TestAskingAndVotingShareNothing(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	h.must(h.Send(t.Context()))
	for _, c := range []vote.Class{vote.Attempt, vote.Regression} {
		v := attempt
		if c == vote.Regression {
			v = regression
		}
		h.report(c, v, 0)
	}
	h.must(h.Send(t.Context()))
	seen := h.service.requests("")
	addresses := map[string]bool{}
	for _, a := range seen {
		if a.tls.DidResume || a.header.Get("Cookie") != "" || a.header.Get("User-Agent") != "" || addresses[a.address] {
			t.Errorf("%s from %s: resumed %v, header %v", a.path, a.address, a.tls.DidResume, a.header)
		}
		addresses[a.address] = true
	}
	if len(seen) != 7 {
		t.Fatalf("%d requests", len(seen))
	}
}

func TestVotesAreDelayedAndSetApart(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 6*time.Hour))
	h.must(h.Send(t.Context()))
	if len(h.service.requests("/v1/tokens")) != 0 {
		t.Fatal("tokens were asked for at once")
	}
	h.report(vote.Attempt, attempt, 10*time.Minute)
	h.must(h.Send(t.Context()))
	h.now = h.now.Add(5 * time.Minute) // a vote waits: the token is due sooner
	h.must(h.Send(t.Context()))
	if n := len(h.service.requests("/v1/tokens")); n != 1 || h.counted() != 0 {
		t.Fatalf("%d tokens, %d votes", n, h.counted())
	}
	h.report(vote.Regression, regression, time.Hour)
	h.now = h.now.Add(24 * time.Hour) // offline, or off
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatalf("%d votes left together", h.counted())
	}
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if h.counted() != 2 {
		t.Fatalf("%d votes counted", h.counted())
	}
}

var regression = vote.Vote{V: 1, Reason: vote.Other, FromClass: vote.FromOlder, Attempts: vote.AttemptsOne, Duration: vote.OverDay}

func TestVotesThatBecameDueTogetherDoNotLeaveTogether(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, time.Hour)
	h.report(vote.Regression, regression, time.Hour)
	for want := range 2 {
		h.now = h.now.Add(24 * time.Hour)
		h.must(h.Send(t.Context()))
		if h.counted() != want+1 {
			t.Fatalf("%d votes counted, not %d", h.counted(), want+1)
		}
	}
}

func TestVoteDoesNotLeaveAtTheMomentOfAsking(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, time.Hour))
	h.report(vote.Attempt, attempt, time.Hour)
	h.now = h.now.Add(24 * time.Hour)
	h.must(h.Send(t.Context()))
	if n := len(h.service.requests("/v1/tokens")); n != 4 || h.counted() != 0 {
		t.Fatalf("%d tokens asked for and %d votes cast at once", n, h.counted())
	}
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatal("not counted")
	}
}

func TestClockThatWasSetBackDoesNotSilence(t *testing.T) {
	h := reporting(t)
	h.now = h.now.Add(20 * 365 * 24 * time.Hour)
	h.report(vote.Attempt, attempt, time.Hour)
	h.now = time.Unix(0, 0)
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatal("not sent")
	}
}

func TestDelaysEndWithoutAClockThatWasSet(t *testing.T) {
	h := reporting(t)
	h.now = time.Time{}
	before := time.Now()
	h.report(vote.Attempt, attempt, time.Hour)
	if h.Next().Before(before) {
		t.Fatalf("due at %v", h.Next())
	}
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatal("not sent")
	}
}

func TestTroubleOfTheServiceKeepsTheVote(t *testing.T) {
	for name, trouble := range map[string]func(http.ResponseWriter){
		"500":            func(w http.ResponseWriter) { problem(w, http.StatusInternalServerError, api.CodeInternal) },
		"gateway":        func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"login page":     func(w http.ResponseWriter) { w.Write([]byte("<html>log in")) },
		"forbidden page": func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		"redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"cut":          func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"unknown code": func(w http.ResponseWriter) { problem(w, http.StatusConflict, "from-the-future") },
		"endless": func(w http.ResponseWriter) {
			for range 32 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
			t.Error("32 MiB were taken in answer to a vote")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := reporting(t)
			h.report(vote.Attempt, attempt, 0)
			h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
				trouble(w)
				return true
			})
			if err := h.Send(t.Context()); err == nil {
				t.Fatal("no error")
			}
			h.must(h.Send(t.Context()))
			if n := len(h.service.requests("")); n != 1 {
				t.Fatalf("%d requests; the second before its time, or a redirect was followed", n)
			}
			h.service.intercept(nil)
			h.restart()
			h.now = h.Next()
			h.must(h.Send(t.Context()))
			if h.counted() != 1 || len(h.Sent()) != 1 {
				t.Fatalf("%d counted, shown as %v", h.counted(), h.Sent())
			}
		})
	}
}

func TestWaitsGrowAndRetryAfterIsObeyed(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	asked := ""
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if asked != "" {
			w.Header().Set("Retry-After", asked)
		}
		problem(w, http.StatusServiceUnavailable, api.CodeBusy)
		return true
	})
	var waits []time.Duration
	for i := range 4 {
		if i == 3 {
			asked = "7200"
		}
		if err := h.Send(t.Context()); err == nil {
			t.Fatal("no error")
		}
		waits = append(waits, h.Next().Sub(h.now))
		h.now = h.Next()
	}
	if waits[0] != time.Minute || waits[1] != 2*time.Minute || waits[2] != 4*time.Minute || waits[3] < 2*time.Hour {
		t.Fatalf("waits %v", waits)
	}
}

func TestFinalRefusalsEndTheVoteWithTheirReason(t *testing.T) {
	for _, code := range []string{api.CodeVotingClosed, api.CodeAlreadyVoted, api.CodeBadToken, api.CodeNotFound} {
		t.Run(code, func(t *testing.T) {
			h := reporting(t)
			h.report(vote.Attempt, attempt, 0)
			h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
				problem(w, http.StatusConflict, code)
				return true
			})
			if err := h.Send(t.Context()); err == nil || !strings.Contains(err.Error(), code) {
				t.Fatalf("got %v", err)
			}
			h.now = h.now.Add(48 * time.Hour)
			h.must(h.Send(t.Context()))
			if n := len(h.service.requests("")); n != 1 || !strings.Contains(h.Refused()[0], "attempt of phone build 43: "+code) {
				t.Fatalf("%d requests, %v", n, h.Refused())
			}
		})
	}
}

// AMENDMENTS C3: a service that says "use the spare key" to one handset alone
// would have its votes to itself.
func TestServiceCannotSendOneHandsetToTheSpareKey(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if strings.Contains(string(body), `"set":"primary"`) {
			problem(w, http.StatusConflict, "key-retired")
			return true
		}
		return false
	})
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	h.now = h.now.Add(48 * time.Hour)
	h.must(h.Send(t.Context()))
	if h.counted() != 0 || !strings.Contains(h.Refused()[0], "key-retired") {
		t.Fatalf("%d counted, %v", h.counted(), h.Refused())
	}
}

func TestQueueIsBounded(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, time.Hour)
	for b := range manifests.Build(100) {
		h.must(h.Prepare(t.Context(), vote.Ref{Product: "phone", Build: 100 + b}, h.rules, time.Hour))
	}
	if n := strings.Count(read(t, h.dir, "queue.json"), `"class"`); n != 256 || h.Acknowledged(ref, vote.Attempt) {
		t.Fatalf("%d entries, or the waiting vote is gone", n)
	}
}
