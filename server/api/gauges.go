package api

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// states are all that a rollout can be in: each has its series from the start,
// so that an alert sees it rise from 0.
var states = []policy.State{
	rollout.Draft, rollout.Proposed, rollout.Approved, policy.Scheduled, policy.Active, policy.Held, policy.Halted,
	policy.Complete, policy.Superseded, policy.Abandoned,
}

func description(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("candor_"+name, help, labels, nil)
}

// The gauges that are read from ledger and tree when somebody asks. Their
// labels are products, roles, hooks and states: what operators made, nothing
// that a request can choose.
var (
	rolloutsDesc = description("rollouts", "Rollouts by state.", "product", "state")
	shareDesc    = description("rollout_share_ppm", "Share of the newest live rollout, in parts per million; 0 without one.", "product")
	stageAgeDesc = description("rollout_stage_age_seconds", "Time since the newest active rollout entered its stage.", "product")
	attemptsDesc = description("rollout_attempts", "Attempts reported for the newest live rollout; like all counts, shown with a delay.", "product")
	silentDesc   = description("rollout_silent_attempts", "Attempts of which nothing was heard within the grace time.", "product")
	expiresDesc  = description("role_expires_in_seconds", "Time left until the signature of a role expires.", "role")
	lifeDesc     = description("role_life_seconds", "How long a role lives when it is signed anew.", "role")
	wordDesc     = description("next_word_in_seconds", "Time left until the engineers of a product promised to sign again; handsets tell their owners when it is broken.", "product")
	lagDesc      = description("hook_lag_entries", "Entries of the audit log that a webhook has not been told.", "hook")
	failingDesc  = description("hook_failing_seconds", "Since when a webhook cannot be delivered; 0 when it can.", "hook")
	toldDesc     = description("hook_delivered_total", "Webhooks delivered.", "hook")
	failuresDesc = description("hook_failures_total", "Tries to deliver a webhook that failed.", "hook")
	gaveUpDesc   = description("hook_given_up_total", "Webhooks given up.", "hook")
	auditDesc    = description("audit_sequence", "Number of the last entry of the audit log.")
	eventsDesc   = description("signing_events_open", "Signing events that wait for signatures, or to be published.")
	eventAgeDesc = description("signing_event_oldest_seconds", "Since when the oldest of them has been open; 0 without one.")
	publishDesc  = description("publish_failing_seconds", "Since when the tree cannot be published; 0 when it can.")
)

// gauges is a prometheus.Collector over the service.
type gauges struct {
	*API
	errors prometheus.Counter
}

func newGauges(a *API) *gauges {
	return &gauges{API: a, errors: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "candor_metrics_errors_total", Help: "Times that a part of these figures could not be read, and was left out.",
	})}
}

// Describe sends nothing: what is there depends on products, roles and hooks.
func (g *gauges) Describe(chan<- *prometheus.Desc) {}

// collectTime bounds one reading.
const collectTime = 10 * time.Second

// Collect reads everything. A part that cannot be read is left out and counted.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, done := context.WithTimeout(context.Background(), collectTime)
	defer done()
	send := figures(out)
	for role, f := range g.signed.of(g.Tree.Tree()) {
		send.gauge(expiresDesc, f.Expires.Sub(g.Now()).Seconds(), role)
		send.gauge(lifeDesc, lint.Life(role).Seconds(), role)
		if product, ok := layout.ReleasesRoleProduct(role); ok && f.NextBy != nil {
			send.gauge(wordDesc, f.NextBy.Sub(g.Now()).Seconds(), string(product))
		}
	}
	send.gauge(publishDesc, g.since(g.Tree.FailingSince()))
	for _, part := range []func() error{
		func() error { return g.collectRollouts(ctx, send) },
		func() error { return g.collectHooks(ctx, send) },
		func() error { return g.collectEvents(ctx, send) },
	} {
		if err := part(); err != nil {
			g.errors.Inc()
			g.Log.Error("metrics cannot be read", "error", err)
		}
	}
}

// since is how long ago something began; 0 if it did not.
func (g *gauges) since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(g.Now().Sub(t).Seconds(), 1)
}

func (g *gauges) collectRollouts(ctx context.Context, send figures) error {
	products, err := g.Ledger.Products(ctx)
	if err != nil {
		return err
	}
	counts, err := g.Ledger.RolloutCounts(ctx)
	if err != nil {
		return err
	}
	newest, err := g.newestLive(ctx)
	if err != nil {
		return err
	}
	for _, p := range products {
		for _, s := range states {
			send.gauge(rolloutsDesc, float64(counts[p.Name][string(s)]), string(p.Name), string(s))
		}
		if newest[p.Name] == nil {
			send.gauge(shareDesc, 0, string(p.Name))
			continue
		}
		if err := g.collectRollout(ctx, newest[p.Name], send); err != nil {
			return err
		}
	}
	return nil
}

// newestLive gives the live rollout of the highest build of each product, of
// several the one that was made last. Those that are over are not read.
func (g *gauges) newestLive(ctx context.Context) (map[manifests.Product]*rollout.Rollout, error) {
	list, err := g.Rollouts.Page(ctx, store.RolloutQuery{States: texts(alive...)})
	if err != nil {
		return nil, err
	}
	out := map[manifests.Product]*rollout.Rollout{}
	for i := range list {
		r := &list[i]
		have := out[r.Plan.Product]
		if have == nil || cmp.Or(cmp.Compare(r.Plan.Build, have.Plan.Build), cmp.Compare(r.Sequence, have.Sequence)) > 0 {
			out[r.Plan.Product] = r
		}
	}
	return out, nil
}

func (g *gauges) collectRollout(ctx context.Context, r *rollout.Rollout, send figures) error {
	product := string(r.Plan.Product)
	send.gauge(shareDesc, float64(r.Share()), product)
	if r.State == policy.Active {
		send.gauge(stageAgeDesc, g.since(r.StageSince.Time), product)
	}
	counts, err := g.Votes.Shown(ctx, vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build})
	if errors.Is(err, store.ErrNotFound) {
		return nil // a release without votes
	}
	if err != nil {
		return err
	}
	send.gauge(attemptsDesc, float64(counts.Attempts), product)
	send.gauge(silentDesc, float64(counts.Silent), product)
	return nil
}

func (g *gauges) collectHooks(ctx context.Context, send figures) error {
	head, err := g.Ledger.AuditHead(ctx)
	if err != nil {
		return err
	}
	send.gauge(auditDesc, float64(head.Seq))
	list, err := g.Ledger.Hooks(ctx)
	if err != nil {
		return err
	}
	for _, c := range g.Hooks.Hooks() {
		for _, h := range list {
			if h.Name != string(c.Name) {
				continue
			}
			send.gauge(lagDesc, float64(max(head.Seq-h.Position, 0)), h.Name)
			send.gauge(failingDesc, g.since(h.FailingSince), h.Name)
			send.total(toldDesc, h.Delivered, h.Name)
			send.total(failuresDesc, h.Failures, h.Name)
			send.total(gaveUpDesc, h.GaveUp, h.Name)
		}
	}
	return nil
}

func (g *gauges) collectEvents(ctx context.Context, send figures) error {
	open, oldest, err := g.Events.Waiting(ctx)
	if err == nil {
		send.gauge(eventsDesc, float64(open))
		send.gauge(eventAgeDesc, g.since(oldest))
	}
	return err
}
