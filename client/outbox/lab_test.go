package outbox_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
)

var (
	rolledBack = vote.Vote{V: 1, Outcome: vote.RolledBack, Reason: vote.HealthCheck, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
	regressed  = vote.Vote{V: 1, Reason: vote.BootLoop, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
)

// inLab is a handset in lab mode that is enrolled, and whose owner agreed to
// no votes.
func inLab(t *testing.T) *handset {
	t.Helper()
	h := newHandset(t)
	h.must(h.ByName(true))
	h.must(h.OptInByName(h.credential))
	h.must(h.Enrol(t.Context()))
	h.service.requests("")
	return h
}

// cutOff has nothing reach the service until the test goes on.
func (h *handset) cutOff(off bool) {
	h.service.intercept(nil)
	if off {
		h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.WriteHeader(http.StatusBadGateway)
			return true
		})
	}
}

func (h *handset) heard() []vote.Vote {
	h.service.mu.Lock()
	defer h.service.mu.Unlock()
	var out []vote.Vote
	for _, v := range h.service.named {
		out = append(out, v)
	}
	return out
}

func TestLabHandsetReportsByNameAtOnceAndCastsNoVote(t *testing.T) {
	for class, v := range map[string]vote.Vote{"trial healthy": healthy, "trial rolled back": rolledBack, "regression": regressed} {
		t.Run(class, func(t *testing.T) {
			h := inLab(t)
			name, _, _ := strings.Cut(class, " ")
			h.must(h.Prepare(t.Context(), ref, h.rules, 0))
			h.report(vote.Attempt, attempt, 0)
			if !h.Acknowledged(ref, vote.Attempt) {
				t.Error("arming would wait for an attempt that is never sent")
			}
			h.report(vote.Class(name), v, 6*time.Hour)
			h.must(h.Send(t.Context()))
			seen := h.service.requests("")
			if len(seen) != 1 || seen[0].path != "/v1/lab-reports" || !slices.Equal(h.heard(), []vote.Vote{v}) {
				t.Fatalf("%d requests, heard %v", len(seen), h.heard())
			}
			h.now = h.now.Add(7 * 24 * time.Hour)
			h.must(h.Send(t.Context()))
			if len(h.service.requests("")) != 0 || h.Waiting() != 0 || !h.Next().IsZero() {
				t.Fatal("something is sent later too")
			}
			sent := h.Sent()
			if len(sent) != 1 || !sent[0].ByName || !sent[0].Counted || !strings.Contains(sent[0].String(), "(by name, counted)") {
				t.Fatalf("the owner is shown %v", sent)
			}
		})
	}
}

func TestReleaseWithoutVoteKeysIsReportedOnByName(t *testing.T) {
	h := inLab(t) // Prepare was never called
	h.report(vote.Trial, rolledBack, 0)
	h.must(h.Send(t.Context()))
	if len(h.heard()) != 1 {
		t.Fatal("not heard")
	}
}

func TestReportByNameOutlivesRestartsAndOutages(t *testing.T) {
	h := inLab(t)
	h.cutOff(true)
	h.report(vote.Trial, rolledBack, 0)
	h.report(vote.Trial, healthy, 0) // the first stands
	var bodies []string
	for range 20 {
		h.restart()
		if err := h.Send(t.Context()); err == nil {
			t.Fatal("no error")
		}
		for _, r := range h.service.requests("/v1/lab-reports") {
			bodies = append(bodies, string(r.body))
		}
		if wait := h.Next().Sub(h.now); wait <= 0 || wait > 5*time.Minute {
			t.Fatalf("a veto waits %s for its next try", wait)
		}
		h.now = h.Next()
	}
	if len(bodies) != 20 || len(slices.Compact(bodies)) != 1 || h.Waiting() != 1 {
		t.Fatalf("%d tries, %d wait", len(bodies), h.Waiting())
	}
	h.cutOff(false)
	h.restart()
	h.must(h.Send(t.Context()))
	if !slices.Equal(h.heard(), []vote.Vote{rolledBack}) || h.Waiting() != 0 {
		t.Fatalf("heard %v", h.heard())
	}
}

func TestSameReportByNameAgainIsFineAndAnotherIsFinal(t *testing.T) {
	h := inLab(t)
	h.service.intercept(func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		if h.service.answer(discard{}, r.URL.Path, body) != "" {
			t.Error("refused")
		}
		panic(http.ErrAbortHandler) // the power goes before the answer comes
	})
	h.report(vote.Trial, rolledBack, 0)
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	h.service.intercept(nil)
	h.restart()
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if h.Waiting() != 0 || len(h.Refused()) != 0 || len(h.heard()) != 1 {
		t.Fatalf("refused %v", h.Refused())
	}
	for id := range h.service.named {
		h.service.named[strings.Replace(id, string(vote.Trial), string(vote.Regression), 1)] = healthy
	}
	h.report(vote.Regression, regressed, 0)
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	h.service.requests("")
	h.now = h.now.Add(24 * time.Hour)
	h.restart()
	h.must(h.Send(t.Context()))
	if refused := h.Refused(); len(refused) != 1 || !strings.Contains(refused[0], api.CodeAlreadyVoted) || len(h.service.requests("")) != 0 {
		t.Fatalf("refused %v", refused)
	}
}

func TestEnrolmentThatTheServiceLostIsMadeAgainForAReportByName(t *testing.T) {
	h := inLab(t)
	clear(h.service.enrolled)
	h.report(vote.Trial, rolledBack, 0)
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	h.must(h.Send(t.Context()))
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if len(h.heard()) != 1 {
		t.Fatal("not heard")
	}
}

func TestEndOfLabModeDestroysItsKeysAndDeletesItsEnrolment(t *testing.T) {
	h := inLab(t)
	h.cutOff(true)
	h.report(vote.Trial, rolledBack, 0)
	_, seed, _ := strings.Cut(read(t, h.dir, "identity.json"), `"deviceKey":"`)
	h.must(h.ByName(false))
	if left := read(t, h.dir, "identity.json") + read(t, h.dir, "queue.json"); strings.Contains(left, seed[:44]) || strings.Contains(left, "credentialKey") || strings.Contains(left, "outcome") {
		t.Fatalf("left are %s", left)
	}
	if err := h.Withdraw(t.Context()); !errors.Is(err, outbox.ErrWithdrawal) {
		t.Fatalf("got %v", err)
	}
	h.cutOff(false)
	h.service.requests("")
	h.restart()
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if seen := h.service.requests(""); len(seen) != 1 || seen[0].path != "/v1/enrolments/withdraw" || len(h.service.enrolled) != 0 {
		t.Fatalf("%d requests, enrolled %v", len(seen), h.service.enrolled)
	}
	if err := h.Report(ref, vote.Trial, rolledBack, 0); !errors.Is(err, outbox.ErrOff) || h.Enabled() || len(h.heard()) != 0 {
		t.Fatalf("got %v", err)
	}
	if k := h.kinds(); k[len(k)-1] != receipts.Withdrawal || k[len(k)-2] != receipts.ReportsOff {
		t.Fatalf("the receipt holds %q", k)
	}
}

func TestPowerCutWhileTheFormOfReportsChangesLeavesNothingOfTheOther(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, time.Hour)
	queue := filepath.Join(h.dir, "queue.json")
	votes := read(t, h.dir, "queue.json")
	h.must(h.ByName(true))
	h.must(os.WriteFile(queue, []byte(votes), 0o600)) // cut before the tokens were destroyed
	h.restart()
	if h.Waiting() != 0 || strings.Contains(read(t, h.dir, "queue.json"), "token") {
		t.Fatal("tokens are left in lab mode")
	}
	h.report(vote.Trial, rolledBack, 0)
	names := read(t, h.dir, "queue.json")
	h.must(h.ByName(false))
	h.must(os.WriteFile(queue, []byte(names), 0o600))
	h.restart()
	if h.Waiting() != 0 || strings.Contains(read(t, h.dir, "queue.json"), "named") {
		t.Fatal("a report by name is left outside of lab mode")
	}
}

// A medium that takes nothing does not keep a handset speaking by name.
func TestEndOfLabModeHoldsEvenIfItCannotBeSaved(t *testing.T) {
	h := inLab(t)
	h.must(os.MkdirAll(filepath.Join(h.dir, "identity.json.new", "full"), 0o700))
	if err := h.ByName(false); err == nil {
		t.Fatal("no error")
	}
	if err := h.Report(ref, vote.Trial, rolledBack, 0); !errors.Is(err, outbox.ErrOff) {
		t.Fatalf("got %v", err)
	}
	h.must(os.RemoveAll(filepath.Join(h.dir, "identity.json.new")))
	h.restart()
	h.must(h.ByName(false)) // as the agent says at each start
	if h.Enabled() || strings.Contains(read(t, h.dir, "identity.json"), "credential") {
		t.Fatal("the enrolment is left")
	}
}

func TestVotesGoOnAfterLabModeOnlyWithConsent(t *testing.T) {
	h := reporting(t) // tokens are drawn
	h.report(vote.Attempt, attempt, time.Hour)
	h.must(h.ByName(true))
	h.must(h.OptInByName(h.credential))
	if q := read(t, h.dir, "queue.json"); strings.Contains(q, "token") || h.Waiting() != 0 {
		t.Fatalf("tokens are left in lab mode: %s", q)
	}
	h.report(vote.Trial, rolledBack, 0)
	h.must(h.Send(t.Context()))
	if seen := h.service.requests(""); len(seen) != 1 || seen[0].path != "/v1/lab-reports" {
		t.Fatalf("%d requests", len(seen))
	}
	h.must(h.ByName(false))
	h.restart()
	next := vote.Ref{Product: "phone", Build: 44}
	h.must(h.Prepare(t.Context(), next, h.rules, 0))
	if err := h.Report(next, vote.Attempt, attempt, 0); err != nil || !h.Enabled() || h.Named() != "" {
		t.Fatalf("the owner's consent to votes is gone: %v", err)
	}
	if seen := h.service.requests("/v1/enrolments/withdraw"); len(seen) != 0 || len(h.service.enrolled) != 1 {
		t.Fatal("the enrolment was given up")
	}
}

func TestLabModeIsNoConsentToVotes(t *testing.T) {
	h := inLab(t)
	h.must(h.OptIn(h.credential)) // this is
	if len(h.service.enrolled) != 1 || h.kinds()[len(h.kinds())-1] != receipts.ReportsOn {
		t.Fatalf("the receipt holds %q", h.kinds())
	}
	h.must(h.ByName(false))
	if !h.Enabled() {
		t.Fatal("consent ended with lab mode")
	}
	h.must(h.OptOut(t.Context()))
	h.must(h.ByName(true))
	h.must(h.OptInByName(h.credential))
	h.must(h.ByName(false))
	if h.Enabled() {
		t.Fatal("lab mode left a consent behind")
	}
}

func TestConsentOffEndsReportsByNameToo(t *testing.T) {
	h := inLab(t)
	h.must(h.OptOut(t.Context()))
	h.service.requests("")
	if err := h.Report(ref, vote.Trial, rolledBack, 0); !errors.Is(err, outbox.ErrOff) {
		t.Fatalf("got %v", err)
	}
	h.restart()
	h.must(h.Send(t.Context()))
	if h.Enabled() || h.Named() != "" || len(h.service.requests("")) != 0 || len(h.service.enrolled) != 0 {
		t.Fatal("it still reports")
	}
}

func TestCredentialOfALabBatchReplacesAnother(t *testing.T) {
	h := reporting(t)
	h.must(h.ByName(true))
	before := h.Named()
	h.service.credential, h.credential = credential(t)
	h.must(h.OptInByName(h.credential))
	h.must(h.OptInByName(h.credential)) // again: nothing
	h.report(vote.Trial, rolledBack, 0)
	h.must(h.Send(t.Context()))
	if h.Named() == before || len(h.service.enrolled) != 1 || len(h.heard()) != 1 {
		t.Fatalf("enrolled are %v", h.service.enrolled)
	}
	h.must(h.ByName(false))
	if !h.Enabled() {
		t.Fatal("the consent to votes is gone")
	}
}

func TestRefusedLabEnrolmentIsSaidAndTriedAnewOnDemand(t *testing.T) {
	h := newHandset(t)
	h.must(h.ByName(true))
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		problem(w, http.StatusForbidden, api.CodeBatchRevoked)
		return true
	})
	h.must(h.OptInByName(h.credential))
	if err := h.Enrol(t.Context()); !errors.Is(err, outbox.ErrEnrolment) || h.Named() != "" || !strings.Contains(strings.Join(h.Refused(), ""), api.CodeBatchRevoked) {
		t.Fatalf("got %v, refused %v", err, h.Refused())
	}
	h.service.intercept(nil)
	h.must(h.OptInByName(h.credential))
	h.must(h.Enrol(t.Context()))
}

func TestOnlyLabModeEnrolsForItself(t *testing.T) {
	h := newHandset(t)
	if err := h.OptInByName(h.credential); !errors.Is(err, outbox.ErrNotLab) || h.Enabled() {
		t.Fatalf("got %v", err)
	}
}

func TestEveryReportByNameIsInTheReceiptToTheLetterBeforeItLeaves(t *testing.T) {
	h := inLab(t)
	h.report(vote.Trial, rolledBack, 0)
	h.options.Receipts = closed{}
	h.restart()
	if err := h.Send(t.Context()); err == nil || len(h.service.requests("")) != 0 {
		t.Fatalf("it left without a receipt: %v", err)
	}
	h.openReceipts()
	h.restart()
	h.service.intercept(func(_ http.ResponseWriter, _ *http.Request, body []byte) bool {
		all := h.noted()
		if e := all[len(all)-1]; e.Kind != receipts.NamedSent || e.Sent != string(body) || e.Build != ref.Build {
			t.Errorf("the receipt says %q, %s leaves", e.Sent, body)
		}
		return false
	})
	h.must(h.Send(t.Context()))
	if len(h.heard()) != 1 {
		t.Fatal("not heard")
	}
}
