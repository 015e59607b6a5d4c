package operate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/signer/operate"
)

const token = "candor-test-token"

// service answers as it is told and remembers what it was asked.
type service struct {
	mu     sync.Mutex
	answer func(n int, w http.ResponseWriter, r *http.Request) // n counts from 1
	keys   []string
	tags   []string
	bodies []string
	pauses []time.Duration
}

func serve(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) (*service, *operate.Client) {
	t.Helper()
	s := &service{answer: answer}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	c, err := operate.New(h.URL, token+"\n")
	if err != nil {
		t.Fatal(err)
	}
	c.Pause = func(ctx context.Context, d time.Duration) error {
		s.pauses = append(s.pauses, d)
		return ctx.Err()
	}
	return s, c
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Authorization") != "Bearer "+token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.keys, s.tags, s.bodies = append(s.keys, r.Header.Get("Idempotency-Key")), append(s.tags, r.Header.Get("If-Match")), append(s.bodies, string(body))
	s.answer(len(s.keys), w, r)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: new("because")})
}

func halted(w http.ResponseWriter) {
	_ = json.NewEncoder(w).Encode(api.Rollout{Id: "43-a", State: "halted", Version: 4})
}

var halt = operate.Step{Action: "halt", Reason: "bricks", IfMatch: 3}

func TestLostAnswerIsAskedForUnderTheSameKey(t *testing.T) {
	s, c := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			refuse(w, http.StatusServiceUnavailable, api.CodeBusy)
		case 3:
			refuse(w, http.StatusConflict, api.CodeInProgress)
		default:
			halted(w)
		}
	})
	r, err := c.Take(t.Context(), "43-a", halt)
	if err != nil || r.State != "halted" || len(s.keys) != 4 {
		t.Fatalf("%+v, %v after %d requests", r, err, len(s.keys))
	}
	if len(slices.Compact(slices.Clone(s.keys))) != 1 || len(s.keys[0]) < 20 {
		t.Errorf("keys %q", s.keys)
	}
	if len(slices.Compact(slices.Clone(s.bodies))) != 1 || s.tags[3] != `"3"` {
		t.Errorf("bodies %q, tags %q", s.bodies, s.tags)
	}
}

func TestEachChangeHasAKeyOfItsOwn(t *testing.T) {
	s, c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { halted(w) })
	for range 2 {
		if _, err := c.Take(t.Context(), "43-a", halt); err != nil {
			t.Fatal(err)
		}
	}
	if s.keys[0] == s.keys[1] || s.keys[0] == "" {
		t.Errorf("keys %q", s.keys)
	}
}

func TestRefusalIsNotAskedAgain(t *testing.T) {
	s, c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusConflict, api.CodeSoaking) })
	_, err := c.Take(t.Context(), "43-a", halt)
	var refused *operate.Refusal
	if !errors.As(err, &refused) || refused.Code != api.CodeSoaking || refused.Text != "because" || !refused.Waits() || refused.Next() == "" || len(s.keys) != 1 {
		t.Errorf("%d requests, %v", len(s.keys), err)
	}
	if !strings.HasSuffix(err.Error(), "the server refused it: because [soaking]") {
		t.Error(err)
	}
}

func TestOutageOfAChangeLeavesItsEndOpen(t *testing.T) {
	s, c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusInternalServerError, api.CodeInternal)
	})
	_, err := c.Take(t.Context(), "43-a", halt)
	if err == nil || !strings.Contains(err.Error(), "whether it was done is not known") || len(s.keys) != operate.Attempts {
		t.Errorf("%d requests, %v", len(s.keys), err)
	}
	if _, err := c.Get(t.Context(), "43-a"); err == nil || strings.Contains(err.Error(), "whether it was done") {
		t.Errorf("a look: %v", err)
	}
}

func TestServersPauseIsKeptWithinReason(t *testing.T) {
	s, c := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1:
			w.Header().Set("Retry-After", "7")
			refuse(w, http.StatusTooManyRequests, api.CodeRateLimited)
		case 2:
			w.Header().Set("Retry-After", "86400")
			refuse(w, http.StatusServiceUnavailable, api.CodeBusy)
		default:
			halted(w)
		}
	})
	if _, err := c.Get(t.Context(), "43-a"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.pauses, []time.Duration{7 * time.Second, 30 * time.Second}) {
		t.Errorf("pauses %v", s.pauses)
	}
}

func TestEndlessAnswerIsRefused(t *testing.T) {
	_, c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := c.Get(t.Context(), "43-a"); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Error(err)
	}
}

func TestForeignAnswersAreRefused(t *testing.T) {
	_, c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"colour":"red"}`) })
	if _, err := c.Template(t.Context(), "43-a", 44); err == nil {
		t.Error("a plan of another form was taken")
	}
	if _, _, err := c.Evidence(t.Context(), "43-a"); err == nil {
		t.Error("evidence of another form was taken")
	}
	_, c = serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	if _, err := c.Get(t.Context(), "43-a"); err == nil {
		t.Error("a web page was taken")
	}
}

func TestEvidenceOfAnotherRolloutIsRefused(t *testing.T) {
	plan := api.Plan{
		"product": "phone", "build": 43, "channel": "stable", "kind": "normal", "deferral": "7d", "spread": "30m",
		"stages": []any{map[string]any{"sharePPM": 10_000, "soak": "1d"}},
	}
	b := evidence.Bundle{
		Spec: evidence.Spec, ID: "43-b", Product: "phone", Build: 43, Rows: []evidence.Row{{Entry: audit.Entry{Seq: 1, Subject: "43-b"}}},
		Rollout: api.Rollout{Id: "43-b", Product: "phone", Build: 43, Plan: plan, Stages: []api.Stage{{SharePPM: 10_000, Soak: "1d"}}},
	}
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, c := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })
	if got, _, err := c.Evidence(t.Context(), "43-b"); err != nil || !bytes.Equal(got, data) {
		t.Error(err)
	}
	if _, _, err := c.Evidence(t.Context(), "43-a"); err == nil || !strings.Contains(err.Error(), "is about 43-b") {
		t.Error(err)
	}
}

func TestTokenStaysOnSafeGround(t *testing.T) {
	for _, bad := range []string{"http://updates.example", "ftp://127.0.0.1", "https://", "https://user:pw@host", "updates.example"} {
		if _, err := operate.New(bad, token); err == nil {
			t.Errorf("%s: accepted", bad)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: the message shows a password", bad)
		}
	}
	for _, bad := range []string{"", "two words", "two\nlines", strings.Repeat("x", 5000)} {
		if _, err := operate.New("https://updates.example", bad); err == nil || (bad != "" && strings.Contains(err.Error(), bad)) {
			t.Errorf("token of %d bytes: %v", len(bad), err)
		}
	}
}

// hung answers the first request only when its sender gives up.
type hung struct{ keys []string }

func (h *hung) Do(r *http.Request) (*http.Response, error) {
	h.keys = append(h.keys, r.Header.Get("Idempotency-Key"))
	if len(h.keys) == 1 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"id":"43-a","state":"halted"}`))}, nil
}

func TestHungServerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := operate.New("https://updates.example", token)
		if err != nil {
			t.Fatal(err)
		}
		h := &hung{}
		c.API.Client = h
		if r, err := c.Take(t.Context(), "43-a", halt); err != nil || r.State != "halted" || len(h.keys) != 2 || h.keys[0] != h.keys[1] {
			t.Errorf("%+v, %v, keys %q", r, err, h.keys)
		}
	})
}

func TestCallerWhoGivesUpIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := operate.New("https://updates.example", token)
		if err != nil {
			t.Fatal(err)
		}
		c.API.Client = &hung{}
		ctx, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		if _, err := c.Take(ctx, "43-a", halt); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, operate.ErrAgain) {
			t.Error(err)
		}
	})
}
