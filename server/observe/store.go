package observe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/candor-ota/candor/server/store"
)

// driven is a store that says what it is.
type driven interface{ Driver() string }

// driver names a store: as it says itself, or by the package of its type.
func driver(s any) string {
	if d, ok := s.(driven); ok {
		return d.Driver()
	}
	name, _, _ := strings.Cut(strings.TrimLeft(fmt.Sprintf("%T", s), "*"), ".")
	return name
}

// operation is what is measured about one method of a store.
type operation struct {
	*Observer
	driver, name string
	took         prometheus.Observer
}

// operations by name, made once for each store.
func (o *Observer) all(s any, names []string) map[string]*operation {
	d := driver(s)
	out := make(map[string]*operation, len(names))
	for _, n := range names {
		out[n] = &operation{Observer: o, driver: d, name: n, took: o.operations.WithLabelValues(d, n)}
	}
	return out
}

// call is one operation under way.
type call struct {
	of    *operation
	began time.Time
	span  trace.Span // nil: not traced
}

// begin starts an operation. It is traced only below a span that is: so what
// handsets ask for is not, for their routes begin none.
func (o *operation) begin(ctx context.Context) (context.Context, call) {
	c := call{of: o, began: time.Now()}
	if trace.SpanFromContext(ctx).IsRecording() {
		ctx, c.span = o.Tracer.Start(ctx, o.driver+" "+o.name)
	}
	return ctx, c
}

func (c call) end(err *error) {
	c.of.took.Observe(time.Since(c.began).Seconds())
	kind := kindOf(*err)
	if kind != "" {
		c.of.errors.WithLabelValues(c.of.driver, c.of.name, kind).Inc()
	}
	if c.span != nil {
		if kind == "" {
			end(c.span, nil)
		} else {
			end(c.span, *err)
		}
	}
}

// answers are what a store says when all is well with it.
var answers = []error{
	store.ErrNotFound, store.ErrExists, store.ErrConflict, store.ErrStale, store.ErrFull, store.ErrClosed, store.ErrRetired, store.ErrMismatch, errForeign,
}

// kindOf tells failures from answers; empty for these.
func kindOf(err error) string {
	if err == nil {
		return ""
	}
	for _, a := range answers {
		if errors.Is(err, a) {
			return ""
		}
	}
	switch {
	case errors.Is(err, store.ErrBusy):
		return "busy"
	case errors.Is(err, context.Canceled):
		return "left"
	}
	return "failed"
}

// errForeign is what the caller's own function said, which is no matter of the
// store.
var errForeign = errors.New("the reader's own error")

type foreign struct{ error }

func (f foreign) Unwrap() error        { return f.error }
func (f foreign) Is(target error) bool { return target == errForeign }
