package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/publish"
)

// metrics has a fixed number of series: routes of the contract, methods and
// classes of status, nothing that a request can choose.
type metrics struct {
	registry *prometheus.Registry
	static   *staticCounts
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	device   map[string]map[string]prometheus.Counter // by request and result
}

// What handsets send, and what became of it.
var (
	deviceRequests = []string{"enrol", "withdraw", "token", "vote", "lab-report"}
	deviceResults  = []string{"accepted", "refused", "busy", "failed"}
)

func newMetrics(o *observe.Observer, tree *publish.Publisher) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "candor_" + name, Help: help}, labels)
	}
	device := counters("device_requests_total", "What handsets sent, and what became of it.", "request", "result")
	m := &metrics{
		registry: o.Registry, static: new(staticCounts),
		requests: counters("api_responses_total", "Answers under /v1.", "method", "route", "status"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "candor_api_seconds", Help: "Time from the head of a request under /v1 to the end of its answer.", Buckets: []float64{.005, .02, .1, .5, 2, 10, 60},
		}, []string{"method", "route"}),
		device: map[string]map[string]prometheus.Counter{},
	}
	for _, request := range deviceRequests {
		m.device[request] = map[string]prometheus.Counter{}
		for _, result := range deviceResults {
			m.device[request][result] = device.WithLabelValues(request, result)
		}
	}
	gauge := func(name, help string, f func(*publish.Tree) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "candor_" + name, Help: help}, func() float64 {
			if t := tree.Tree(); t != nil {
				return f(t)
			}
			return 0
		})
	}
	m.registry.MustRegister(
		m.static, device, m.requests, m.took,
		gauge("snapshot_version", "Version of the published snapshot.", func(t *publish.Tree) float64 { return float64(t.Snapshot) }),
		gauge("timestamp_issued_seconds", "When the timestamp that is served was signed, in Unix seconds; 0 while there is none.", func(t *publish.Tree) float64 { return float64(t.Issued.Unix()) }),
	)
	return m
}

// method bounds what a request says to be its method.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.Method
	}
	return "other"
}

// counted counts answers by route and class of status, and measures them: few
// labels, whatever is asked for.
func (a *API) counted(c *gin.Context) {
	began := time.Now()
	c.Next()
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	a.metrics.requests.WithLabelValues(method(c.Request), route, strconv.Itoa(c.Writer.Status()/100)+"xx").Inc()
	a.metrics.took.WithLabelValues(method(c.Request), route).Observe(time.Since(began).Seconds())
}

// sent counts what became of a request of a handset.
func (a *API) sent(request string) gin.HandlerFunc {
	results := a.metrics.device[request]
	return func(c *gin.Context) {
		result := "failed" // a panic
		defer func() { results[result].Inc() }()
		c.Next()
		switch status := c.Writer.Status(); {
		default:
			result = "accepted"
		case status == http.StatusServiceUnavailable:
			result = "busy"
		case status >= http.StatusInternalServerError:
			result = "failed"
		case status >= http.StatusBadRequest:
			result = "refused"
		}
	}
}
