package api_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/observe"
)

// collector is an OpenTelemetry collector that keeps what it is sent.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []span
	bodies strings.Builder
}

type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Attributes                          []struct{ Key string }
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Api-Key") != "of the collector" {
			t.Errorf("%s %v: %v", r.URL, r.Header, err)
		}
		var in struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []span }
			}
		}
		if err := json.Unmarshal(data, &in); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies.Write(data)
		for _, rs := range in.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// taken gives what came since the last call.
func (c *collector) taken(t *testing.T, tracing *observe.Tracing) ([]span, string) {
	t.Helper()
	if err := tracing.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	spans, text := c.spans, c.bodies.String()
	c.spans = nil
	return spans, text
}

func traced(t *testing.T) (*world, *collector, *observe.Tracing) {
	t.Helper()
	c := newCollector(t)
	tracing := observe.OpenTracing(observe.TracingOptions{
		Endpoint: c.URL + "/", Headers: http.Header{"Api-Key": {"of the collector"}}, Ratio: 1, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() {
		if err := tracing.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	w := ready(t, 43)
	w.stop()
	w.observed = observe.New(w.now, tracing.Tracer())
	w.start()
	return w, c, tracing
}

func TestOperatorsRequestsAreTraced(t *testing.T) {
	w, c, tracing := traced(t)
	c.taken(t, tracing)
	r := w.rollout(43)
	w.call(auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/start?q=MARKQUERY", map[string]string{"reason": "MARKREASON"}, "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-Request-Id", "MARKID")
	w.tick()
	spans, text := c.taken(t, tracing)
	byID, named := map[string]span{}, map[string]bool{}
	for _, s := range spans {
		byID[s.TraceID+s.SpanID], named[s.Name] = s, true
	}
	for _, want := range []string{"POST /v1/rollouts", "POST /v1/rollouts/:id/:action", "publish", "engine look", "sqlite UpdateRollout", "sqlite SetHead", "disk Put"} {
		if !named[want] {
			t.Errorf("there is no span %q", want)
		}
	}
	for _, s := range spans {
		if s.ParentSpanID != "" && byID[s.TraceID+s.ParentSpanID].SpanID == "" {
			t.Errorf("%s hangs from a span that was not sent", s.Name)
		}
		if s.TraceID == "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("%s belongs to a trace that the sender chose", s.Name)
		}
	}
	for _, secret := range []string{"MARK", "127.0.0.1", w.tokens[auth.Operator], r.Id, "operator (token"} {
		if strings.Contains(text, secret) {
			t.Errorf("the collector was told %s", secret)
		}
	}
}

// TestHandsetsAreNeverTraced is promise P3: no span comes of anything that a
// handset asks for.
func TestHandsetsAreNeverTraced(t *testing.T) {
	w, c, tracing := traced(t)
	w.cast(43, healthy, 1)
	h := w.voter(t)
	c.taken(t, tracing)
	h.says(43, healthy)
	h.polls()
	for _, path := range []string{"/v1/enrolments", "/v1/enrolments/withdraw", "/v1/tokens", "/v1/votes", "/v1/lab-reports"} {
		w.call("", "POST", path, []byte("{}"), "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	}
	spans, text := c.taken(t, tracing)
	for _, s := range spans {
		t.Errorf("a handset left a span %s", s.Name)
	}
	if strings.Contains(text, hex.EncodeToString(h.id[:])) {
		t.Error("the collector knows a device key")
	}
}

func TestCollectorThatIsDownLosesSpansAndNothingElse(t *testing.T) {
	w, c, tracing := traced(t)
	c.Close()
	if r := w.rollout(43); w.change(r.Id, "start", "").State != "active" {
		t.Error("the rollout did not start")
	}
	if err := tracing.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}
