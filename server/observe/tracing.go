package observe

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TracingOptions say where spans go.
type TracingOptions struct {
	Endpoint string      // of the collector, without /v1/traces
	Headers  http.Header // for the collector
	Ratio    float64     // of all traces, above 0 and at most 1
	Log      *slog.Logger
	Client   *http.Client // nil: one of its own
}

// Tracing collects spans and sends them in batches. A nil *Tracing is tracing
// that is off.
type Tracing struct{ provider *sdk.TracerProvider }

// OpenTracing begins tracing. A collector that cannot be reached loses spans:
// it is logged once, and once more when it is back.
func OpenTracing(o TracingOptions) *Tracing {
	version := "unknown"
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		version = b.Main.Version
	}
	about := resource.NewSchemaless(attribute.String("service.name", "candor-server"), attribute.String("service.version", version))
	return &Tracing{sdk.NewTracerProvider(
		sdk.WithResource(about), sdk.WithBatcher(newExporter(o)), sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Ratio))),
	)}
}

// Tracer is for New; nil if tracing is off.
func (t *Tracing) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer("github.com/candor-ota/candor/server")
}

// Flush sends what waits.
func (t *Tracing) Flush(ctx context.Context) error { return t.provider.ForceFlush(ctx) }

// Close sends what waits and ends tracing.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
