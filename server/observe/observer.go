package observe

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// Buckets of durations, in seconds: what is in memory, one fsync, a slow disk,
// a bucket far away, and what somebody has to look at.
var buckets = []float64{.0005, .002, .01, .05, .25, 1, 5}

// Observer keeps the figures of one process. It is safe for concurrent use.
type Observer struct {
	// Registry has every figure; others add theirs.
	Registry *prometheus.Registry
	// Tracer makes spans; it makes none unless tracing is on.
	Tracer trace.Tracer

	now        func() time.Time
	operations *prometheus.HistogramVec // by driver, operation
	errors     *prometheus.CounterVec   // by driver, operation, kind
	writes     prometheus.Histogram     // of a group
	commits    prometheus.Histogram
	lost       prometheus.Counter
	publishes  map[publish.Outcome]prometheus.Observer
	looks      map[bool]prometheus.Observer // by whether it went well
	looked     atomic.Int64                 // when the last good look ended, Unix nanoseconds
}

func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: "candor_" + name, Help: help, Buckets: buckets}
}

// New makes an Observer with the figures of process and runtime in it. A nil
// tracer traces nothing.
func New(now func() time.Time, tracer trace.Tracer) *Observer {
	if tracer == nil {
		tracer = noop.NewTracerProvider().Tracer("")
	}
	o := &Observer{
		Registry: prometheus.NewRegistry(), Tracer: tracer, now: now,
		operations: prometheus.NewHistogramVec(histogram("store_seconds", "Time that the stores took."), []string{"driver", "operation"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "candor_store_errors_total", Help: "Operations of the stores that failed, were turned away because too much waited, or were left by who asked.",
		}, []string{"driver", "operation", "kind"}),
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "candor_group_commit_writes", Help: "Votes and issue records that shared a transaction.", Buckets: []float64{1, 4, 16, 64, 256, 1024, 4096},
		}),
		commits: prometheus.NewHistogram(histogram("group_commit_seconds", "Time until a group was durable.")),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "candor_group_commit_failures_total", Help: "Groups that could not be written; who voted was told to try again.",
		}),
		publishes: map[publish.Outcome]prometheus.Observer{}, looks: map[bool]prometheus.Observer{},
	}
	o.looked.Store(now().UnixNano())
	publishes := prometheus.NewHistogramVec(histogram("publish_seconds", "Tries to publish, by how they ended."), []string{"outcome"})
	for _, outcome := range publish.Outcomes {
		o.publishes[outcome] = publishes.WithLabelValues(string(outcome))
	}
	looks := prometheus.NewHistogramVec(histogram("engine_seconds", "Looks of the engine at all rollouts."), []string{"outcome"})
	o.looks[true], o.looks[false] = looks.WithLabelValues("done"), looks.WithLabelValues("failed")
	o.Registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		o.operations, o.errors, o.writes, o.commits, o.lost, publishes, looks, buildInfo(),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "candor_engine_age_seconds", Help: "Time since the engine last looked at all rollouts, or saw that another process does.",
		}, func() float64 { return max(o.now().Sub(time.Unix(0, o.looked.Load())).Seconds(), 0) }),
	)
	return o
}

// Program gives the version of this program, and the revision that it was built
// from where it is known.
func Program() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := b.Main.Version
	if version == "" {
		version = "unknown"
	}
	for _, s := range b.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= shortRevision && version == "(devel)" {
			version += " " + s.Value[:shortRevision]
		}
	}
	return version
}

const shortRevision = 12

// buildInfo is 1, with what this program was built from.
func buildInfo() prometheus.Collector {
	version, revision, goVersion := "unknown", "unknown", "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		goVersion = b.GoVersion
		if b.Main.Version != "" {
			version = b.Main.Version
		}
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "candor_build_info", Help: "What this program was built from.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "go": goVersion},
	})
	g.Set(1)
	return g
}

// Groups counts the groups of a ledger that writes in groups; others are left
// alone.
func (o *Observer) Groups(l any) {
	g, ok := l.(store.Groups)
	if !ok {
		return
	}
	g.OnCommit(func(c store.Commit) {
		if c.Err != nil {
			o.lost.Inc()
			return
		}
		o.writes.Observe(float64(c.Writes))
		o.commits.Observe(c.Took.Seconds())
	})
	o.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "candor_group_waiting", Help: "Votes and issue records that wait for their group.",
	}, func() float64 { return float64(g.Queued()) }))
}

// Publishing watches tries to publish; see publish.Options.
func (o *Observer) Publishing(ctx context.Context) (context.Context, func(publish.Outcome, error)) {
	began := time.Now()
	ctx, span := o.Tracer.Start(ctx, "publish")
	return ctx, func(outcome publish.Outcome, err error) {
		o.publishes[outcome].Observe(time.Since(began).Seconds())
		span.SetAttributes(attribute.String("candor.outcome", string(outcome)))
		end(span, err)
	}
}

// Looking watches the looks of the engine; see rollout.Options.
func (o *Observer) Looking(ctx context.Context) (context.Context, func(error)) {
	began := time.Now()
	ctx, span := o.Tracer.Start(ctx, "engine look")
	return ctx, func(err error) {
		o.looks[err == nil].Observe(time.Since(began).Seconds())
		if err == nil {
			o.looked.Store(o.now().UnixNano())
		}
		end(span, err)
	}
}

// end closes a span. The text of an error may name files and subjects, so it
// stays in the log; the span only says that there was one.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "see the log")
	}
	span.End()
}
