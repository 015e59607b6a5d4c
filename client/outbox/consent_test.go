package outbox_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
)

func TestNothingIsSentWithoutConsent(t *testing.T) {
	h := newHandset(t)
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	if err := h.Report(ref, vote.Attempt, attempt, 0); !errors.Is(err, outbox.ErrOff) {
		t.Errorf("got %v", err)
	}
	if err := h.Enrol(t.Context()); !errors.Is(err, outbox.ErrOff) {
		t.Errorf("got %v", err)
	}
	for range 3 {
		h.must(h.Send(t.Context()))
		h.now = h.now.Add(24 * time.Hour)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "queue.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is kept without consent: %v", err)
	}
	h.must(h.OptOut(t.Context()))
	if seen := h.service.requests(""); len(seen) > 0 || h.Enabled() || !h.Next().IsZero() {
		t.Fatalf("%d requests, next at %v", len(seen), h.Next())
	}
}

func TestOptOutBeforeEnrolmentTellsNobody(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.OptOut(t.Context()))
	h.must(h.Send(t.Context()))
	if seen := h.service.requests(""); len(seen) > 0 {
		t.Fatalf("%d requests", len(seen))
	}
}

func TestOptOutOfflineDestroysKeysAtOnceAndIsToldLater(t *testing.T) {
	h := reporting(t)
	h.report(vote.Attempt, attempt, time.Hour)
	before := read(t, h.dir, "identity.json")
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	if err := h.OptOut(t.Context()); !errors.Is(err, outbox.ErrWithdrawal) {
		t.Fatalf("got %v", err)
	}
	h.service.intercept(nil)
	_, seed, _ := strings.Cut(before, `"deviceKey":"`)
	if after := read(t, h.dir, "identity.json"); strings.Contains(after, seed[:44]) || strings.Contains(after, "credential") {
		t.Fatalf("keys are left: %s", after)
	}
	if q := read(t, h.dir, "queue.json"); strings.Contains(q, "token") {
		t.Fatalf("tokens are left: %s", q)
	}
	h.restart()
	h.service.requests("")
	h.must(h.Send(t.Context()))
	if h.Enabled() || len(h.service.requests("")) != 0 {
		t.Fatal("asked again at once")
	}
	h.now = h.Next()
	h.must(h.Send(t.Context()))
	if seen := h.service.requests(""); len(seen) != 1 || seen[0].path != "/v1/enrolments/withdraw" || len(h.service.enrolled) != 0 {
		t.Fatalf("requests %v, enrolled %v", seen, h.service.enrolled)
	}
	h.must(h.Send(t.Context()))
	if len(h.service.requests("")) != 0 || !h.Next().IsZero() {
		t.Fatal("something is still waiting")
	}
}

func TestRefusedEnrolmentEndsReportingUntilOptedInAgain(t *testing.T) {
	h := newHandset(t)
	h.service.intercept(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		problem(w, http.StatusForbidden, api.CodeBatchRevoked)
		return true
	})
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	if err := h.Send(t.Context()); !errors.Is(err, outbox.ErrEnrolment) {
		t.Fatalf("got %v", err)
	}
	if err := h.Report(ref, vote.Attempt, attempt, 0); !errors.Is(err, outbox.ErrEnrolment) || !h.Acknowledged(ref, vote.Attempt) {
		t.Fatalf("got %v", err)
	}
	h.service.requests("")
	h.must(h.Send(t.Context()))
	if len(h.service.requests("")) != 0 || !strings.Contains(strings.Join(h.Refused(), ""), api.CodeBatchRevoked) {
		t.Fatalf("asked again, or no reason: %v", h.Refused())
	}
	h.service.intercept(nil)
	h.must(h.OptIn(h.credential))
	h.must(h.Enrol(t.Context()))
}

func TestEnrolmentThatTheServiceLostIsMadeAgain(t *testing.T) {
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Enrol(t.Context()))
	clear(h.service.enrolled)
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	if err := h.Send(t.Context()); err == nil {
		t.Fatal("no error")
	}
	for range 6 {
		h.now = h.Next()
		if err := h.Send(t.Context()); err != nil {
			t.Log(err)
		}
	}
	h.report(vote.Attempt, attempt, 0)
	h.must(h.Send(t.Context()))
	if h.counted() != 1 {
		t.Fatal("not counted")
	}
}

func TestBadCredentialRefused(t *testing.T) {
	h := newHandset(t)
	_, other := credential(t)
	cert, key, _ := strings.Cut(string(h.credential), "-----BEGIN PRIVATE")
	key = "-----BEGIN PRIVATE" + key
	otherCert, _, _ := strings.Cut(string(other), "-----BEGIN PRIVATE")
	for name, c := range map[string]struct{ text, want string }{
		"empty":         {"", "are needed"},
		"no key":        {cert, "are needed"},
		"other key":     {otherCert + key, "not that of the first certificate"},
		"two keys":      {cert + key + key, "one too many"},
		"three certs":   {cert + cert + cert + key, "one too many"},
		"rest":          {cert + key + "x", "not PEM"},
		"foreign block": {cert + key + "-----BEGIN X-----\n-----END X-----\n", "one too many"},
		"broken cert":   {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + key, "certificate"},
		"broken key":    {cert + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key"},
		"huge":          {strings.Repeat("\n", 1<<20), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := h.OptIn([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || h.Enabled() {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestDamagedQueueIsSetAside(t *testing.T) {
	h := reporting(t)
	for _, rubbish := range []string{"", "{", `{"entries":[{"product":"phone"}]}`, `{"pause":1}`, strings.Repeat(" ", 2<<20)} {
		h.must(os.WriteFile(filepath.Join(h.dir, "queue.json"), []byte(rubbish), 0o600))
		h.restart()
		if got := read(t, h.dir, "queue.json.damaged"); got != rubbish || !h.Enabled() {
			t.Fatalf("kept %q", got)
		}
		h.must(h.Send(t.Context()))
	}
}

// An older version that runs again keeps what a newer one wrote, but no longer
// than its owner lets it report.
func TestFieldsOfANewerVersionEndWithTheConsent(t *testing.T) {
	h := reporting(t)
	files := []string{"identity.json", "queue.json", "sent.json"}
	h.report(vote.Attempt, attempt, 0)
	h.must(h.Send(t.Context()))
	for _, name := range files {
		text := strings.Replace(read(t, h.dir, name), "{", `{"aNewerOne":{"keeps":"this"},`, 1)
		h.must(os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600))
	}
	h.restart()
	h.report(vote.Trial, healthy, 0)
	h.must(h.Send(t.Context()))
	for _, name := range files {
		if !strings.Contains(read(t, h.dir, name), `"aNewerOne":{"keeps":"this"}`) || !h.Enabled() {
			t.Errorf("%s: %s", name, read(t, h.dir, name))
		}
	}
	h.must(h.OptOut(t.Context()))
	for _, name := range files[:2] {
		if strings.Contains(read(t, h.dir, name), "aNewerOne") {
			t.Errorf("%s outlives the consent: %s", name, read(t, h.dir, name))
		}
	}
}

func TestDamagedIdentityMeansReportingIsOff(t *testing.T) {
	h := reporting(t)
	h.must(os.WriteFile(filepath.Join(h.dir, "identity.json"), []byte("?"), 0o600))
	h.restart()
	h.must(h.Send(t.Context()))
	if h.Enabled() || len(h.service.requests("")) != 0 {
		t.Fatal("reported without consent")
	}
	if read(t, h.dir, "identity.json.damaged") != "?" || strings.Contains(read(t, h.dir, "queue.json"), "token") {
		t.Fatal("not set aside, or tokens are left")
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
