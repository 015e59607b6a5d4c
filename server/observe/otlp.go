package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// The JSON form of OTLP/HTTP (OpenTelemetry protocol specification 1.x,
// "OTLP/HTTP", JSON Protobuf Encoding): ids in hex, 64-bit numbers as text. The
// library's own exporter would link gRPC and protobuf into the server for it.
type (
	otlpRequest struct {
		ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
	}
	otlpResourceSpans struct {
		Resource struct {
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
	}
	otlpScopeSpans struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpSpan struct {
		TraceID      string          `json:"traceId"`
		SpanID       string          `json:"spanId"`
		ParentSpanID string          `json:"parentSpanId,omitempty"`
		Name         string          `json:"name"`
		Kind         int             `json:"kind"`
		Start        string          `json:"startTimeUnixNano"`
		End          string          `json:"endTimeUnixNano"`
		Attributes   []otlpAttribute `json:"attributes,omitempty"`
		Status       *otlpStatus     `json:"status,omitempty"`
	}
	otlpStatus struct {
		Code    int    `json:"code"` // 2 is an error
		Message string `json:"message,omitempty"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
	}
)

func attributesOf(list []attribute.KeyValue) (out []otlpAttribute) {
	for _, kv := range list {
		text := kv.Value.String()
		v := otlpValue{String: &text}
		if kv.Value.Type() == attribute.INT64 {
			v = otlpValue{Int: &text}
		}
		out = append(out, otlpAttribute{string(kv.Key), v})
	}
	return out
}

func spanOf(s sdk.ReadOnlySpan) otlpSpan {
	out := otlpSpan{
		TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(), Name: s.Name(), Kind: int(s.SpanKind()),
		Start: strconv.FormatInt(s.StartTime().UnixNano(), 10), End: strconv.FormatInt(s.EndTime().UnixNano(), 10),
		Attributes: attributesOf(s.Attributes()),
	}
	if s.Parent().HasSpanID() {
		out.ParentSpanID = s.Parent().SpanID().String()
	}
	if s.Status().Code == codes.Error {
		out.Status = &otlpStatus{Code: 2, Message: s.Status().Description}
	}
	return out
}

// exporter is an sdk.SpanExporter.
type exporter struct {
	TracingOptions
	url  string
	down atomic.Bool // the last batch was lost
}

const (
	exportTime = 10 * time.Second
	maxReply   = 64 << 10
)

func newExporter(o TracingOptions) *exporter {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: exportTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &exporter{TracingOptions: o, url: strings.TrimSuffix(o.Endpoint, "/") + "/v1/traces"}
}

// ExportSpans sends one batch, once; what is lost is said once.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.send(ctx, spans)
	switch {
	case err != nil && !e.down.Swap(true):
		e.Log.Warn("spans are lost; nothing else is", "error", err)
	case err == nil && e.down.Swap(false):
		e.Log.Info("the collector takes spans again")
	}
	return nil
}

func (e *exporter) send(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	var group otlpResourceSpans
	group.Resource.Attributes = attributesOf(spans[0].Resource().Attributes())
	var scope otlpScopeSpans
	scope.Scope.Name = spans[0].InstrumentationScope().Name // we have one
	for _, s := range spans {
		scope.Spans = append(scope.Spans, spanOf(s))
	}
	group.ScopeSpans = []otlpScopeSpans{scope}
	body, err := json.Marshal(otlpRequest{[]otlpResourceSpans{group}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range e.Headers {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := e.Client.Do(r)
	if err != nil {
		var around *url.Error
		if errors.As(err, &around) {
			err = around.Err
		}
		return err
	}
	_, err = io.CopyN(io.Discard, resp.Body, maxReply)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the collector answered %d", resp.StatusCode)
	}
	return nil
}

// Shutdown has nothing to end.
func (e *exporter) Shutdown(context.Context) error { return nil }

var _ sdk.SpanExporter = (*exporter)(nil)
