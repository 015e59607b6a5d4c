package api

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/peers"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
)

// publishTurn is how long a change waits for the publishing of other servers:
// longer than the lease of one that died lives.
const publishTurn = 10 * time.Second

// turn is how long publishing waits for its turn.
func (p Parts) turn() time.Duration {
	if p.Shared {
		return publishTurn
	}
	return 0
}

// uploads keeps what arrives where every server can go on with it.
func (p Parts) uploads(blobs *observe.Blobs) (*release.Uploads, error) {
	if p.Shared {
		return release.NewSharedUploads(p.Ledger, blobs, p.UploadDir, p.Now)
	}
	return release.NewUploads(p.Ledger, blobs, p.UploadDir, p.Now)
}

// share prepares for other servers. ledger is the one that came in Parts: it
// may tell when a head moves.
func (d *Deps) share(p Parts, ledger any) {
	if !p.Shared {
		return
	}
	d.follower = d.Tree.Follower(func(ctx context.Context) (int64, error) {
		head, err := p.Ledger.AuditHead(ctx)
		return head.Seq, err
	})
	d.changes, _ = ledger.(changes)
}

// changes is what a ledger of several processes offers: a signal after a head
// has moved.
type changes interface {
	Changes(ctx context.Context) <-chan struct{}
}

// follow follows other servers until ctx ends; without any it has nothing to do.
func (a *API) follow(ctx context.Context) {
	if a.follower == nil {
		return
	}
	var moved <-chan struct{}
	if a.changes != nil {
		moved = a.passedOn(a.changes.Changes(ctx))
	}
	a.follower.Run(ctx, moved)
}

// passedOn has dashboards told, too, of what others did.
func (a *API) passedOn(moved <-chan struct{}) <-chan struct{} {
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		for range moved {
			a.Live.Kick()
			select {
			case out <- struct{}{}:
			default: // one is waiting already
			}
		}
	}()
	return out
}

// holder names this process in the lease of publishing: as on the roll, if there
// is one.
func (p Parts) holder() string {
	if p.Peers == nil {
		return ""
	}
	return p.Peers.Self().ID
}

// leaveTime bounds the last word on the roll.
const leaveTime = 2 * time.Second

// keepOnRoll says that this server is there until ctx ends, and then that it is
// not.
func (a *API) keepOnRoll(ctx context.Context) {
	if a.Peers == nil {
		return
	}
	a.Peers.Run(ctx)
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer done()
	if err := a.Peers.Leave(ctx); err != nil {
		a.Log.Warn("this server stays on the roll for a while", "error", err)
	}
}

// silence is how long the ledger may not be read before a server no longer
// counts as following the others.
const silence = 5 * publish.FollowEvery

// pingTime bounds how long readiness waits for the ledger.
const pingTime = 2 * time.Second

// polls says why handsets should not be sent here, empty if they may: there is
// no tree, or it is too old to be believed. A server that has lost its ledger
// serves what it verified last.
func (a *API) polls() string {
	switch t := a.Tree.Tree(); {
	case t == nil:
		return "there is no root of trust yet"
	case !a.Now().Before(t.Expires):
		return "the timestamp has expired"
	}
	return ""
}

// ready says why changes should not be sent here, empty if they may.
func (a *API) ready(ctx context.Context) string {
	if why := a.polls(); why != "" {
		return why
	}
	ctx, done := context.WithTimeout(ctx, pingTime)
	defer done()
	if a.Ledger.Ping(ctx) != nil {
		return "the ledger cannot be read; handsets are served what was verified last"
	}
	if a.Peers != nil {
		if why := a.Peers.Trouble(); why != "" {
			return why
		}
	}
	if a.follower != nil {
		if s := a.follower.Silent(); s > silence {
			return "what other servers publish has not been read for " + s.Round(time.Second).String() + "; handsets are served what was verified last"
		}
	}
	return ""
}

// health answers with 200, or with why not.
func health(w http.ResponseWriter, why string) {
	if why == "" {
		say(w, http.StatusOK, "ok\n")
		return
	}
	say(w, http.StatusServiceUnavailable, why+"\n")
}

var (
	othersDesc = description("servers_others", "Other servers that work on the same ledger.")
	differDesc = description("servers_differing_settings", "Settings in which they differ from this one.")
	skewDesc   = description("clock_ahead_of_ledger_seconds", "By how much this server's clock is ahead of the ledger's.")
	followDesc = description("follow_silent_seconds", "Since when it could not be read what other servers publish.")
)

// peerGauges is a prometheus.Collector over the other servers; all is 0 where
// there are none.
type peerGauges struct {
	peers    *peers.Member
	follower *publish.Follower
}

func (g peerGauges) Describe(chan<- *prometheus.Desc) {}

func (g peerGauges) Collect(out chan<- prometheus.Metric) {
	send := figures(out)
	var others peers.Stats
	if g.peers != nil {
		others = g.peers.Stats()
	}
	var silent time.Duration
	if g.follower != nil {
		silent = g.follower.Silent()
	}
	send.gauge(othersDesc, float64(others.Others))
	send.gauge(differDesc, float64(others.Differs))
	send.gauge(skewDesc, others.Skew.Seconds())
	send.gauge(followDesc, silent.Seconds())
}
