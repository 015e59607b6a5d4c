package outbox_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

// noted gives the owner's log.
func (h *handset) noted() []receipts.Entry {
	h.t.Helper()
	c, err := h.receipts.Read()
	h.must(err)
	return c.Entries
}

func (h *handset) kinds() []receipts.Kind {
	h.t.Helper()
	var out []receipts.Kind
	for _, e := range h.noted() {
		if len(out) == 0 || out[len(out)-1] != e.Kind {
			out = append(out, e.Kind)
		}
	}
	return out
}

func TestEveryVoteIsInTheReceiptToTheLetterBeforeItLeaves(t *testing.T) {
	h := reporting(t)
	h.service.intercept(func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.URL.Path != "/v1/votes" {
			return false
		}
		var sent map[string]json.RawMessage
		h.must(json.Unmarshal(body, &sent))
		delete(sent, "nonce")
		delete(sent, "mac")
		want, err := strict.Canonical(sent)
		h.must(err)
		all := h.noted()
		if e := all[len(all)-1]; e.Kind != receipts.VoteSent || e.Sent != string(want) || e.Build != ref.Build {
			t.Errorf("the receipt says %q, %s leaves", e.Sent, want)
		}
		return false
	})
	h.report(vote.Attempt, attempt, 0)
	h.report(vote.Trial, healthy, 0)
	h.must(h.Send(t.Context()))
	h.must(h.Send(t.Context()))
	if h.counted() != 2 {
		t.Fatalf("%d votes counted", h.counted())
	}
	if want := []receipts.Kind{receipts.ReportsOn, receipts.Enrolment, receipts.TokenAsked, receipts.VoteSent}; !slices.Equal(h.kinds(), want) {
		t.Fatalf("the receipt holds %q", h.kinds())
	}
}

func TestTriesOfOneVoteAreOneEntry(t *testing.T) {
	h := reporting(t)
	down := true
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if down {
			w.WriteHeader(http.StatusBadGateway)
		}
		return down
	})
	h.report(vote.Attempt, attempt, 0)
	for range 3 {
		if err := h.Send(t.Context()); err == nil {
			t.Fatal("sent to a service that is down")
		}
		h.now = h.now.Add(7 * time.Hour)
		h.restart()
	}
	down = false
	h.must(h.Send(t.Context()))
	votes := 0
	for _, e := range h.noted() {
		if e.Kind == receipts.VoteSent {
			votes++
		}
	}
	if votes != 1 || h.counted() != 1 {
		t.Fatalf("%d entries for %d votes", votes, h.counted())
	}
}

// closed is a log that takes nothing.
type closed struct{}

func (closed) Append(receipts.Entry) error     { return errors.New("the disk is full") }
func (closed) AppendOnce(receipts.Entry) error { return errors.New("the disk is full") }

func TestNothingLeavesThatTheReceiptCannotHold(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, 0)
	open := func(r outbox.Receipts) {
		h.options.Receipts = r
		h.restart()
	}
	open(closed{})
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if err := h.OptOut(t.Context()); err == nil || h.Enabled() {
		t.Fatalf("the receipt keeps reporting on: %v", err)
	}
	if seen := h.service.requests("/v1/votes"); len(seen) != 0 {
		t.Fatalf("%d votes left", len(seen))
	}
	if err := h.OptIn(h.credential); err == nil || h.Enabled() {
		t.Fatalf("turned on without a receipt: %v", err)
	}
	open(h.receipts)
	h.must(h.OptIn(h.credential))
	open(closed{})
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if seen := h.service.requests(""); len(seen) != 0 {
		t.Fatalf("%d requests", len(seen))
	}
	open(h.receipts)
	h.must(h.Enrol(t.Context()))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	open(closed{})
	h.service.requests("")
	if err := h.Send(t.Context()); err == nil || len(h.service.requests("")) != 0 {
		t.Fatalf("a token was asked for: %v", err)
	}
}

func TestWithdrawalIsTheLastLineAboutReporting(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, time.Hour)
	down := true
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if down {
			w.WriteHeader(http.StatusBadGateway)
		}
		return down
	})
	if err := h.OptOut(t.Context()); !errors.Is(err, outbox.ErrWithdrawal) {
		t.Fatalf("got %v", err)
	}
	if k := h.kinds(); k[len(k)-1] != receipts.ReportsOff {
		t.Fatalf("before the service knows: %q", k)
	}
	down = false
	for range 5 {
		h.now = h.now.Add(24 * time.Hour)
		h.must(h.Send(t.Context()))
		h.must(h.Prepare(t.Context(), ref, h.rules, 0))
		h.restart()
	}
	if k := h.kinds(); k[len(k)-1] != receipts.Withdrawal || k[len(k)-2] != receipts.ReportsOff {
		t.Fatalf("afterwards: %q", k)
	}
}

func (h *handset) openReceipts() {
	h.receipts = receipts.Open(disk.OS{}, filepath.Join(h.dir, "receipts.log"), func() (time.Time, bool) { return h.now, true })
	h.options.Receipts = h.receipts
}
