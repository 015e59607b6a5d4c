package observe

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Request begins the span of an operator's request: method, route template and
// number, and at its end the status. Nothing of what was asked is in it, and a
// trace that the sender says it belongs to is not believed.
func (o *Observer) Request(ctx context.Context, method, route, id string) (context.Context, func(status int)) {
	if route == "" {
		return ctx, func(int) {}
	}
	ctx, span := o.Tracer.Start(ctx, method+" "+route, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.String("candor.request", id),
	))
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "see the log")
		}
		span.End()
	}
}
