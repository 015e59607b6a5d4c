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
	s, send := g.hub.Stats(), figures(out)
	send.gauge(streamsDesc, float64(s.Open))
	send.total(openedDesc, s.Opened)
	send.total(wokenDesc, s.Woken)
	send.total(droppedDesc, s.Slow, "slow")
	send.total(droppedDesc, s.Gone, "gone")
	send.total(unopenedDesc, s.Refused)
}
