package load

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// handset is one of the fleet.
type handset struct {
	number int
	opted  bool // its owner lets outcomes be reported
	fails  bool // no new build works on it

	mu       sync.Mutex
	view     *view // that it decides by; nil before its first poll
	etag     string
	build    manifests.Build
	failures map[manifests.Build]int
	reports  *reports                 // nil until the first release that takes votes
	asked    map[manifests.Build]bool // tokens are asked for, or are there
}

// secret is drawn for each handset by its number, the same in each run.
func (f *fleet) secret(number int) rollout.Secret {
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], f.o.Seed)
	binary.BigEndian.PutUint64(seed[8:], uint64(number))
	return rollout.Secret(sha256.Sum256(seed[:]))
}

// server is the one that a handset asks.
func (f *fleet) server(h *handset) string { return f.o.Servers[h.number%len(f.o.Servers)] }

// poll is one look for news, which was due at a moment. What is new is fetched,
// verified and decided by.
func (f *fleet) poll(ctx context.Context, h *handset, due time.Time) {
	h.mu.Lock()
	tag := h.etag
	h.mu.Unlock()
	status, body, err := get(ctx, f.http, f.server(h)+"/"+layout.TimestampFile, tag)
	if err == nil && status != http.StatusOK && status != http.StatusNotModified {
		err = statusError(status)
	}
	op := Changed
	if status == http.StatusNotModified {
		op = Unchanged
	}
	f.meter.done(op, time.Since(due), err)
	if err != nil {
		return
	}
	if op == Changed {
		tag = layout.ETag(body)
		if err := f.walk(ctx, h, tag); err != nil {
			f.failed(ctx, "walk: ", err)
			return
		}
	}
	f.decide(ctx, h)
}

// failed notes what went wrong beside a request, unless the run is over.
func (f *fleet) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		f.meter.failed(what + kindOf(err))
	}
}

// walk fetches what a walk to the state of a timestamp needs beyond what the
// handset has.
func (f *fleet) walk(ctx context.Context, h *handset, tag string) error {
	v, err := f.tree.at(ctx, tag)
	if err != nil {
		return err
	}
	h.mu.Lock()
	before := h.view
	h.mu.Unlock()
	if before != nil && before.number >= v.number {
		return nil // of a replica that is behind: the handset keeps what it has
	}
	for path, want := range v.files {
		if before != nil && before.files[path] == want && !want.missing {
			continue
		}
		began := time.Now()
		err := want.check(ctx, f.http, f.server(h)+"/"+path)
		f.meter.done(Walk, time.Since(began), err)
		if err != nil {
			return nil // it is counted; the next poll begins anew
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.view, h.etag = v, tag
	return nil
}

// decide installs what is offered, which takes no time here, and has the
// outcome reported.
func (f *fleet) decide(ctx context.Context, h *handset) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.view == nil {
		return
	}
	if h.opted {
		f.prepare(ctx, h)
	}
	offer := rollout.Decide(f.input(h)).Offer
	if offer == nil {
		return
	}
	outcome := vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
	if h.fails {
		outcome.Outcome, outcome.Reason = vote.RolledBack, vote.HealthCheck
		h.failures = map[manifests.Build]int{offer.Release.Build: h.failures[offer.Release.Build] + 1}
	} else {
		h.build = offer.Release.Build
	}
	f.meter.installed(h.fails)
	if h.reports != nil {
		h.reports.tell(ctx, vote.Ref{Product: f.o.Product, Build: offer.Release.Build}, outcome)
	}
}

// input is what a decision reads: of a handset that is charged, has room, and
// whose owner accepts each notice.
func (f *fleet) input(h *handset) rollout.Input {
	consent := make(map[manifests.Build]rollout.Answer, len(h.view.Releases))
	for b := range h.view.Releases {
		consent[b] = rollout.Accepted
	}
	return rollout.Input{
		Document: h.view.Document, Releases: h.view.Releases, Times: rollout.Times{Expiry: h.view.Expiry, Pace: h.view.Pace},
		Handset: &rollout.Handset{
			Product: f.o.Product, Model: f.o.Model, Region: f.o.Region, Channel: f.o.Channel, Secret: f.secret(h.number), Build: h.build,
			Consent: consent, Failures: h.failures,
			Conditions: rollout.Conditions{BatteryPercent: 100, MinBattery: 30, FreeBytes: 1 << 40},
		},
	}
}

// prepare has tokens asked for, for every release that takes votes and that a
// rollout names: asking says nothing about installing.
func (f *fleet) prepare(ctx context.Context, h *handset) {
	for _, r := range h.view.Document.Rollouts {
		signed, ok := h.view.Releases[r.Build]
		if !ok || signed.Release.Votes.Primary == nil || r.Build <= h.build || h.asked[r.Build] {
			continue
		}
		if h.reports == nil {
			made, err := f.newReports(h)
			if err != nil {
				f.failed(ctx, "reports: ", err)
				return
			}
			h.reports, h.asked = made, map[manifests.Build]bool{}
		}
		h.asked[r.Build] = true
		h.reports.prepare(ctx, vote.Ref{Product: f.o.Product, Build: r.Build}, signed.Release.Votes)
	}
}
