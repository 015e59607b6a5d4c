package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/candor-ota/candor/server/publish"
)

// metrics has a fixed number of series: routes of the contract and classes of
// status, nothing that a request can choose.
type metrics struct {
	registry *prometheus.Registry
	static   *staticCounts
	requests *prometheus.CounterVec
}

func newMetrics(tree *publish.Publisher) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		static:   new(staticCounts),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "candor_api_responses_total", Help: "Answers under /v1.",
		}, []string{"method", "route", "status"}),
	}
	gauge := func(name, help string, f func(*publish.Tree) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if t := tree.Tree(); t != nil {
				return f(t)
			}
			return 0
		})
	}
	m.registry.MustRegister(
		m.static, m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("candor_snapshot_version", "Version of the published snapshot.", func(t *publish.Tree) float64 { return float64(t.Snapshot) }),
	)
	return m
}

// Admin is the handler for a listener on loopback: /metrics, /livez, /readyz.
func (a *API) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		t := a.Tree.Tree()
		switch {
		case t == nil:
			say(w, http.StatusServiceUnavailable, "there is no root of trust yet\n")
		case !a.Now().Before(t.Expires):
			say(w, http.StatusServiceUnavailable, "the timestamp has expired\n")
		case a.Ledger.Ping(r.Context()) != nil:
			say(w, http.StatusServiceUnavailable, "the ledger cannot be read\n")
		default:
			say(w, http.StatusOK, "ok\n")
		}
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text)); err != nil {
		return // the reader went away
	}
}
