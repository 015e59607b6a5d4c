package config

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/observe"
)

// Tracing sends spans of operators' requests, publishing, the engine and the
// stores to an OpenTelemetry collector. What handsets ask for is never traced.
type Tracing struct {
	// OTLPEndpoint is the collector, such as https://collector.example.org:4318;
	// spans go to /v1/traces below it.
	OTLPEndpoint string `json:"otlpEndpoint"`
	// SamplePPM is the part of all traces that is sent, in parts per million;
	// all if absent.
	SamplePPM *manifests.SharePPM `json:"samplePPM,omitempty"`
	// HeadersFile holds header fields, one "Name: value" a line, for a collector
	// that asks who sends; they go over HTTPS, or to loopback, only.
	HeadersFile string `json:"headersFile,omitempty"`
}

const maxHeaders = 64 << 10

func (t *Tracing) validate(say say) {
	u, err := url.Parse(t.OTLPEndpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		say("tracing.otlpEndpoint", "%q is not an address such as https://collector.example.org:4318", t.OTLPEndpoint)
		return
	}
	if t.SamplePPM != nil && (*t.SamplePPM == 0 || *t.SamplePPM > manifests.WholeFleet) {
		say("tracing.samplePPM", "is %d; 1 to 1000000 parts per million are allowed", *t.SamplePPM)
	}
	if t.HeadersFile == "" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		say("tracing.headersFile", "its secrets would travel in the clear; use an otlpEndpoint with https")
	}
	if _, err := t.headers(); err != nil {
		say("tracing.headersFile", "%v", err)
	}
}

func (t *Tracing) headers() (http.Header, error) {
	if t.HeadersFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(t.HeadersFile)
	if err != nil {
		return nil, err
	}
	if len(data) > maxHeaders {
		return nil, fmt.Errorf("%s is larger than %d bytes", t.HeadersFile, maxHeaders)
	}
	out := http.Header{}
	for i, line := range bytes.Split(data, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("line %d of %s is not Name: value", i+1, t.HeadersFile)
		}
		out.Add(textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value))
	}
	return out, nil
}

// Open begins tracing; off if t is nil.
func (t *Tracing) Open(log *slog.Logger) (*observe.Tracing, error) {
	if t == nil {
		return nil, nil
	}
	headers, err := t.headers()
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	ratio := 1.0
	if t.SamplePPM != nil {
		ratio = float64(*t.SamplePPM) / float64(manifests.WholeFleet)
	}
	return observe.OpenTracing(observe.TracingOptions{Endpoint: t.OTLPEndpoint, Headers: headers, Ratio: ratio, Log: log}), nil
}
