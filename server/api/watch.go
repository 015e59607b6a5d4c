package api

import (
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/watch"
)

// watch hands the connection to the hub. Nothing is asked, and nothing kept:
// the address counts for a limit while the stream is open.
func (a *API) watch(c *gin.Context) {
	if err := a.Watch.Open(c.Writer, c.Request, manifests.Product(c.Param("product")), address(c)); err != nil {
		a.fail(c, err)
	}
}

// EndStreams tells every handset that watches, and every dashboard, when to come
// back, and ends its stream. http.Server's Shutdown does not know the former,
// and would wait for the latter.
func (a *API) EndStreams() {
	a.Watch.Close()
	a.Live.Close()
}

var (
	streamsDesc  = description("watch_streams", "Open watch streams.")
	openedDesc   = description("watch_opened_total", "Watch streams opened.")
	wokenDesc    = description("watch_wakeups_total", "Wake-ups written to watch streams.")
	droppedDesc  = description("watch_ended_total", "Watch streams that ended, by reason.", "reason")
	unopenedDesc = description("watch_refused_total", "Watch streams refused: as many are open as may be.")
)

// watchGauges is a prometheus.Collector over the hub.
type watchGauges struct{ hub *watch.Hub }

func (g watchGauges) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, out) }

func (g watchGauges) Collect(out chan<- prometheus.Metric) {
	s := g.hub.Stats()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, float64(n), labels...)
	}
	send(streamsDesc, prometheus.GaugeValue, s.Open)
	send(openedDesc, prometheus.CounterValue, s.Opened)
	send(wokenDesc, prometheus.CounterValue, s.Woken)
	send(droppedDesc, prometheus.CounterValue, s.Slow, "slow")
	send(droppedDesc, prometheus.CounterValue, s.Gone, "gone")
	send(unopenedDesc, prometheus.CounterValue, s.Refused)
}
