package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/dashboard"
	"github.com/candor-ota/candor/server/events"
	"github.com/candor-ota/candor/server/hooks"
	"github.com/candor-ota/candor/server/live"
	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/peers"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/votes"
	"github.com/candor-ota/candor/server/watch"
)

// Ledger is the part of the ledger that the front reads by itself.
type Ledger interface {
	store.Tokens
	store.Products
	store.Releases
	store.RolloutPages
	store.Audit
	store.Idempotency
	hooks.Rollouts
	Hooks(ctx context.Context) ([]store.Hook, error)
	Lease(ctx context.Context, name string) (store.Lease, error)
	VoteReleases(ctx context.Context) ([]store.VoteRelease, error)
	Ping(ctx context.Context) error
}

// Blobs opens published blobs. A store that also has
//
//	Presign(ctx context.Context, key string, life time.Duration) (url string, err error)
//
// is answered for by redirects.
type Blobs interface {
	Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
}

// Deps is all that the front stands on. Log may be nil (slog.Default).
type Deps struct {
	Ledger   Ledger
	Blobs    Blobs
	Tree     *publish.Publisher
	Intake   *release.Intake
	Uploads  *release.Uploads
	Events   *events.Service
	Rollouts *rollout.Engine
	Votes    *votes.Service
	Hooks    *hooks.Dispatcher // nil: none
	Watch    *watch.Hub
	Limits   overload.Limits
	Now      func() time.Time
	Log      *slog.Logger
	// CloseAfter is how long after the end of its rollouts a release still
	// takes votes.
	CloseAfter time.Duration
	// LookEvery is how often the engine looks at the rollouts.
	LookEvery time.Duration
	// ShowEvery is how often what people are shown of votes moves on.
	ShowEvery time.Duration
	// People sign in with a browser; nil if nobody does.
	People *auth.People
	// TrustedProxies are addresses or networks whose X-Forwarded-For is
	// believed, for limits on tries; usually none.
	TrustedProxies []string
	// Observed has the figures of the other parts; nil: none.
	Observed *observe.Observer

	// Peers is this server among others; nil: there are none.
	Peers *peers.Member

	follower *publish.Follower // nil: there are no other servers
	changes  changes           // nil: the ledger does not tell
}

// API is the front. Handler and Admin are safe for concurrent use.
type API struct {
	Deps
	static   *static
	underWay underWay
	gin      *gin.Engine
	metrics  *metrics
	lanes    *lanes
	bearers  *auth.Bearers
	logins   *auth.Limiter
	refused  atomic.Int64 // votes turned away
	lines    told
	outage   outage // of the ledger, as it is logged
	signed   signedRoles
	images   images
	started  time.Time
	// Live tells dashboards what has changed.
	Live *live.Hub
}

// New makes the front.
func New(d Deps) (*API, error) {
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Hooks == nil {
		d.Hooks = &hooks.Dispatcher{}
	}
	if d.People == nil {
		d.People = &auth.People{Now: d.Now}
	}
	if d.Observed == nil {
		d.Observed = observe.New(d.Now, nil)
	}
	a := &API{Deps: d, metrics: newMetrics(d.Observed, d.Tree), logins: auth.NewLimiter(loginsEach, loginsAll), lanes: newLanes(d.Limits), started: d.Now()}
	a.Live = a.newLive()
	a.bearers = &auth.Bearers{Tokens: d.Ledger, Now: d.Now, Limit: auth.NewLimiter(triesEach, triesAll)}
	pages, err := dashboard.New()
	if err != nil {
		return nil, err
	}
	a.static = &static{tree: d.Tree.Tree, blobs: d.Blobs, log: d.Log, counts: a.metrics.static, pages: pages}
	a.static.presign, _ = d.Blobs.(presigner)
	if d.follower != nil {
		a.static.newest = d.follower
	}
	validate, err := theValidator()
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RemoteIPHeaders = []string{"X-Forwarded-For"}
	if err := e.SetTrustedProxies(d.TrustedProxies); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	e.HandleMethodNotAllowed = true
	e.Use(a.recovered, a.counted)
	e.NoRoute(func(c *gin.Context) { a.fail(c, errNoRoute) })
	e.NoMethod(func(c *gin.Context) { a.fail(c, errNoRoute) })
	g := newGauges(a)
	a.metrics.registry.MustRegister(g, g.errors, watchGauges{d.Watch}, laneGauges{a.lanes}, liveGauges{a.Live}, peerGauges{d.Peers, d.follower})
	a.gin = e
	a.routes(e, validate)
	return a, nil
}

// How many wrong tokens, and how many sign-ins, an address and all addresses
// together may try.
var (
	triesEach  = auth.Rate{Burst: 20, Every: 3 * time.Second}
	triesAll   = auth.Rate{Burst: 1000, Every: 20 * time.Millisecond}
	loginsEach = auth.Rate{Burst: 20, Every: 6 * time.Second}
	loginsAll  = auth.Rate{Burst: 500, Every: 100 * time.Millisecond}
)

// Bounds of request bodies, in bytes.
const (
	maxDeviceBody     = vote.MaxMessageBytes
	maxOperatorBody   = 256 << 10
	maxSubmissionBody = 24 << 20
	maxPiece          = 64 << 20 // of an upload
	maxWordsBody      = 1 << 20  // what 64 people say, at length
)

func (a *API) routes(e *gin.Engine, v *validator) {
	device := func(request string) gin.IRoutes {
		return e.Group("/v1", a.sent(request), a.paced, limited(maxDeviceBody), a.arrived, a.through(a.lanes.reports))
	}
	device("enrol").POST("/enrolments", a.enrol)
	device("withdraw").POST("/enrolments/withdraw", a.withdraw)
	device("token").POST("/tokens", a.issue)
	device("vote").POST("/votes", a.cast)
	device("lab-report").POST("/lab-reports", a.labReport)

	e.GET("/v1/products/:product/watch", a.watch)
	a.peopleRoutes(e, v)
	a.liveRoutes(e, v)
	a.plainRoutes(e)
	operator := func(need auth.Permission, limit int64, lane *overload.Lane) gin.IRoutes {
		return e.Group("/v1", a.operated, a.through(lane), a.identified, a.may(need), limited(limit), a.whole, a.ours, a.noted, a.idempotent, a.validated(v))
	}
	submit := operator(auth.Submit, maxOperatorBody, a.lanes.operators)
	submit.POST("/uploads", a.startUpload)
	submit.GET("/uploads/:id", a.getUpload)
	e.Group("/v1", a.operated, a.through(a.lanes.uploads), a.identified, a.may(auth.Submit), limited(maxPiece), a.ours, a.noted, a.validated(v)).PATCH("/uploads/:id", a.appendUpload)
	operator(auth.Submit, maxSubmissionBody, a.lanes.submissions).POST("/submissions", a.submit)
	operator(auth.Submit, event.MaxProposal, a.lanes.submissions).POST("/events", a.openEvent)
	operator(auth.Submit, maxWordsBody, a.lanes.submissions).POST("/events/:id/words", a.addWords)
	operator(auth.Submit, maxOperatorBody, a.lanes.submissions).POST("/events/:id/publish", a.publishEvent)
	submit.POST("/events/:id/remarks", a.remarkOnEvent)

	read := operator(auth.Read, maxOperatorBody, a.lanes.operators).Use(packable)
	read.GET("/events", a.listEvents)
	read.GET("/events/:id", a.getEvent)
	read.GET("/events/:id/proposal", a.getProposal)
	read.GET("/products", a.listProducts)
	read.GET("/products/:product/releases", a.listReleases)
	read.GET("/products/:product/releases/:build", a.getRelease)
	read.GET("/products/:product/releases/:build/vote-keys", a.voteKeys)
	read.GET("/products/:product/releases/:build/counts", a.counts)
	read.GET("/audit", a.listAudit)
	read.GET("/keys", a.keys)
	operator(auth.Administer, maxOperatorBody, a.lanes.operators).GET("/audit/export", a.exportAudit)
	read.GET("/rollouts", a.listRollouts)
	read.GET("/rollouts/:id", a.getRollout)

	read.GET("/rollouts/:id/timeline", a.timeline)
	read.GET("/rollouts/:id/health", a.rolloutHealth)
	read.GET("/overview", a.overview)
	read.GET("/products/:product/versions", a.versions)
	read.GET("/rollouts/:id/evidence", a.evidence)
	read.GET("/rollouts/:id/template", a.template)
	read.GET("/rollouts/:id/rescue", a.rescue)
	read.POST("/rollouts/preview", a.preview)
	read.POST("/rollouts/stages", a.planStages)
	read.GET("/products/:product/releases/:build/lab-reports", a.labReports)

	operate := operator(auth.Operate, maxOperatorBody, a.lanes.operators)
	operate.POST("/rollouts", a.createRollout)
	operate.PUT("/rollouts/:id", a.editRollout)
	// What an action takes is asked there: whoever may only halt can do that.
	e.Group("/v1", a.operated, a.through(a.lanes.actions), a.identified, limited(maxOperatorBody), a.whole, a.ours, a.noted, a.idempotent, a.validated(v)).POST("/rollouts/:id/:action", a.changeRollout)
	operate.POST("/lab-handsets/:deviceKey/:action", a.muteLab)
}

// ServeHTTP sends the static plane past gin.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TransferEncoding != nil {
		// It may have had a length as well, by which a proxy goes. net/http does
		// not tell, so nothing may follow (RFC 9112, section 6.3).
		w.Header().Set("Connection", "close")
	}
	switch p := r.URL.Path; {
	case strings.HasPrefix(p, "/v1/"), isPlain(p):
		a.gin.ServeHTTP(w, r)
	case strings.HasPrefix(p, "/blobs/"):
		a.download(w, r)
	case strings.HasPrefix(p, "/archive/"):
		a.static.archived(w, r)
	default:
		a.static.file(w, r)
	}
}

// NewServer gives a server with every timeout set. Blobs and pieces of uploads
// lift theirs in proportion to their size.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 3 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// minimumRate is the slowest peer that is waited for, in bytes a second.
const minimumRate = 16 << 10

func patience(size int64) time.Time {
	return time.Now().Add(time.Minute + time.Duration(size/minimumRate)*time.Second)
}

// unsupported drops the answer of writers that have no deadlines.
func unsupported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
