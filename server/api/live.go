package api

import (
	"context"
	"errors"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/hooks"
	"github.com/candor-ota/candor/server/live"
	"github.com/candor-ota/candor/server/store"
)

func (a *API) liveRoutes(e *gin.Engine, v *validator) {
	e.Group("/v1", a.operated, a.through(a.lanes.live), a.identified, a.may(auth.Read), limited(0), a.validated(v)).GET("/live", a.getLive)
	e.Group("/v1", a.operated, a.through(a.lanes.operators), a.identified, a.everywhere(auth.Read), limited(0), a.validated(v)).GET("/system", a.getSystem)
}

// liveHeartbeat is replaced by tests.
var liveHeartbeat = live.Heartbeat

// newLive makes the hub of the dashboards' streams.
func (a *API) newLive() *live.Hub {
	return live.New(live.Options{
		Ledger: a.Ledger, Now: a.Now, Log: a.Log, ShowEvery: a.ShowEvery, Heartbeat: liveHeartbeat,
		Product: func(ctx context.Context, e store.Entry) (manifests.Product, error) {
			return hooks.Product(ctx, a.Ledger, e)
		},
		Counted: a.counting,
	})
}

// counting gives the releases whose votes are open.
func (a *API) counting(ctx context.Context) ([]vote.Ref, error) {
	all, err := a.Ledger.VoteReleases(ctx)
	var out []vote.Ref
	for _, r := range all {
		if r.Closed.IsZero() {
			out = append(out, r.Ref)
		}
	}
	return out, err
}

// teller is what a ledger offers that says when its audit log has grown, in
// this process or, if others may work on it, in any.
type teller interface{ OnEntry(f func()) }

// getLive keeps the connection until its reader has gone or may not read any
// more.
func (a *API) getLive(c *gin.Context) {
	after := int64(-1)
	if text := c.GetHeader("Last-Event-ID"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			a.fail(c, &refusal{code: contract.CodeBadRequest, detail: "is not the number of an event", field: "Last-Event-ID"})
			return
		}
		after = n
	}
	err := a.Live.Serve(c.Writer, c.Request, live.Reader{After: after, May: tells(identity(c)), Still: a.still(c)})
	if errors.Is(err, context.Canceled) {
		c.Abort()
		return
	}
	if err != nil {
		a.fail(c, err)
	}
}

// tells is what an identity may be told of: what concerns no product is for who
// reads all.
func tells(who auth.Identity) func(manifests.Product) bool {
	return func(p manifests.Product) bool {
		if p == "" {
			return who.CheckEverywhere(auth.Read) == nil
		}
		return who.Check(auth.Read, p) == nil
	}
}

// still looks again at the token or session that opened a stream.
func (a *API) still(c *gin.Context) func(context.Context) (func(manifests.Product) bool, error) {
	header, cookie := c.GetHeader("Authorization"), a.cookie(c, sessionCookie)
	_, session := signedIn(c)
	return func(ctx context.Context) (func(manifests.Product) bool, error) {
		var who auth.Identity
		var err error
		if session {
			var l auth.Live
			l, err = a.People.Still(ctx, cookie)
			who = l.Identity
		} else {
			who, err = auth.Authenticate(ctx, a.Ledger, header, a.Now())
		}
		if err == nil {
			err = who.Check(auth.Read, "")
		}
		if errors.Is(err, auth.ErrUnauthorized) || errors.Is(err, auth.ErrForbidden) {
			err = live.ErrOver
		}
		return tells(who), err
	}
}

var (
	liveDesc       = description("live_streams", "Open streams of dashboards.")
	liveOpenedDesc = description("live_opened_total", "Streams of dashboards opened.")
	liveToldDesc   = description("live_events_total", "Events written to streams of dashboards.")
	liveEndedDesc  = description("live_ended_total", "Streams of dashboards that the server ended: slow readers, and those whose session or token is over.", "reason")
)

// liveGauges is a prometheus.Collector over the streams of dashboards.
type liveGauges struct{ hub *live.Hub }

// Describe tells what Collect gives.
func (g liveGauges) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, out) }

// Collect gives the counts of now.
func (g liveGauges) Collect(out chan<- prometheus.Metric) {
	s, send := g.hub.Stats(), figures(out)
	send.gauge(liveDesc, float64(s.Open))
	send.total(liveOpenedDesc, s.Opened)
	send.total(liveToldDesc, s.Events)
	send.total(liveEndedDesc, s.Slow, "slow")
	send.total(liveEndedDesc, s.Over, "over")
}
