package api

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/watch"
)

// lanes keep the kinds of work from drowning one another. The files that
// handsets poll have none.
type lanes struct {
	arriving, reports, downloads, operators, actions, uploads, submissions, signIns, live *overload.Lane

	sources *auth.Limiter // of reports
	paced   atomic.Int64  // reports refused for it
}

func newLanes(l overload.Limits) *lanes {
	return &lanes{
		arriving:    overload.NewLane("requests that are still arriving", l.Arriving),
		reports:     overload.NewLane("reports", l.Reports),
		downloads:   overload.NewLane("downloads", l.Downloads),
		operators:   overload.NewLane("requests of operators", l.Operators),
		actions:     overload.NewLane("changes of rollouts", l.Actions),
		uploads:     overload.NewLane("uploads", l.Uploads),
		submissions: overload.NewLane("submissions", l.Submissions),
		signIns:     overload.NewLane("people who sign in", l.SignIns),
		live:        overload.NewLane("dashboards", l.Live),
		sources: auth.NewLimiter(
			auth.Rate{Burst: l.ReportsPerAddress.Burst, Every: time.Second / time.Duration(max(l.ReportsPerAddress.PerSecond, 1))},
			auth.Rate{Every: 0}, // all together are what the lane is for
		),
	}
}

// named gives the lanes by the names that the figures give them.
func (l *lanes) named() map[string]*overload.Lane {
	return map[string]*overload.Lane{
		"arriving": l.arriving, "reports": l.reports, "downloads": l.downloads, "operators": l.operators,
		"actions": l.actions, "uploads": l.uploads, "submissions": l.submissions, "sign-ins": l.signIns, "live": l.live,
	}
}

// through has requests wait for their turn in a lane, or sends them away.
func (a *API) through(l *overload.Lane) gin.HandlerFunc {
	return func(c *gin.Context) {
		leave, err := l.Enter(c.Request.Context())
		if err != nil {
			a.away(c, err)
			return
		}
		defer leave()
		c.Next()
	}
}

// away sends a request away from a lane. Who has gone gets no answer.
func (a *API) away(c *gin.Context, err error) {
	var busy *overload.BusyError
	if !errors.As(err, &busy) {
		c.Abort()
		return
	}
	a.fail(c, err)
}

// paced bounds what one address reports. The address is not kept longer than
// its tries take to come back, nor logged.
func (a *API) paced(c *gin.Context) {
	if err := a.lanes.sources.Spend(address(c), a.Now()); err != nil {
		a.lanes.paced.Add(1)
		a.fail(c, err)
	}
}

// arrived is whole for reports: who sends slowly holds no turn of those who
// have sent.
func (a *API) arrived(c *gin.Context) {
	leave, err := a.lanes.arriving.Enter(c.Request.Context())
	if err != nil {
		a.away(c, err)
		return
	}
	defer leave()
	control := http.NewResponseController(c.Writer)
	if err := unsupported(control.SetReadDeadline(time.Now().Add(a.Limits.BodyTime))); err != nil {
		a.Log.Warn("a report keeps its deadline", "error", err)
	}
	a.whole(c)
	if c.IsAborted() {
		return
	}
	if err := unsupported(control.SetReadDeadline(time.Time{})); err != nil {
		a.Log.Warn("a report keeps its deadline", "error", err)
	}
}

// download has a place for each image that is on its way.
func (a *API) download(w http.ResponseWriter, r *http.Request) {
	leave, err := a.lanes.downloads.Enter(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", retryAfter(err))
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer leave()
	a.static.blob(w, r)
}

// retryAfter is in whole seconds, rounded up, and another for each where the
// error does not say: they are not to come back together.
func retryAfter(err error) string {
	var many *auth.TooManyError
	var busy *overload.BusyError
	after := 3*time.Second + rand.N(5*time.Second)
	switch {
	case errors.As(err, &many):
		after = many.Retry
	case errors.As(err, &busy):
		after = busy.Retry
	case errors.Is(err, watch.ErrFull), errors.Is(err, watch.ErrAddressFull), errors.Is(err, watch.ErrClosed):
		after = 30*time.Second + rand.N(90*time.Second)
	}
	return strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
}

// Counted has the connections of a listener shown among the figures. It is
// called once, before the API serves.
func (a *API) Counted(l *overload.Listener) {
	a.metrics.registry.MustRegister(connectionGauges{l})
}

var (
	runningDesc     = description("lane_running", "Requests that are worked on, by lane.", "lane")
	waitingDesc     = description("lane_waiting", "Requests that wait for their turn, by lane.", "lane")
	awayDesc        = description("lane_refused_total", "Requests sent away: full at once, slow after they had waited, pace for what their address sent.", "lane", "reason")
	connectionsDesc = description("connections", "Open connections of the public listener.")
	evictedDesc     = description("connections_evicted_total", "Connections that had waited for the longest and made room for new ones.")
	closedDesc      = description("connections_refused_total", "New connections for which none could make room.")
)

// laneGauges is a prometheus.Collector over the lanes. Its labels are fixed.
type laneGauges struct{ *lanes }

// Describe tells what Collect gives.
func (g laneGauges) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, out) }

// Collect gives the counts of now.
func (g laneGauges) Collect(out chan<- prometheus.Metric) {
	send := figures(out)
	for name, l := range g.named() {
		s := l.Stats()
		send.gauge(runningDesc, float64(s.Running), name)
		send.gauge(waitingDesc, float64(s.Waiting), name)
		send.total(awayDesc, s.Full, name, "full")
		send.total(awayDesc, s.Slow, name, "slow")
	}
	send.total(awayDesc, g.paced.Load(), "reports", "pace")
}

// connectionGauges is a prometheus.Collector over the public listener.
type connectionGauges struct{ listener *overload.Listener }

// Describe tells what Collect gives.
func (g connectionGauges) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, out) }

// Collect gives the counts of now.
func (g connectionGauges) Collect(out chan<- prometheus.Metric) {
	s, send := g.listener.Stats(), figures(out)
	send.gauge(connectionsDesc, float64(s.Open))
	send.total(evictedDesc, s.Evicted)
	send.total(closedDesc, s.Refused)
}
