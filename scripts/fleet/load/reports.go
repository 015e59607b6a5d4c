package load

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/votes"
)

// The delays of the design, before they are shortened.
const (
	tokenWithin   = 6 * time.Hour
	attemptWithin = 10 * time.Minute
	outcomeWithin = 6 * time.Hour
	sixHours      = 4 // parts of a run that stand for them
)

// requests are the paths of an outbox and what they are for.
var requests = map[string]Op{"v1/enrolments": Enrol, "v1/tokens": Token, "v1/votes": Vote}

// reports is the outbox of one handset and its clock.
type reports struct {
	fleet *fleet

	mu    sync.Mutex
	box   *outbox.Outbox
	timer *time.Timer
	late  time.Duration // by which what is sent next began after it was due
	over  bool          // nothing is sent any more
}

func (f *fleet) newReports(h *handset) (*reports, error) {
	credential, err := votes.IssueCredential(rand.Reader, f.o.Batch)
	if err != nil {
		return nil, err
	}
	r := &reports{fleet: f}
	at := h.number % len(f.o.Servers)
	r.box, err = outbox.Open(outbox.Options{
		Dir: "outbox", Servers: append(append([]string{}, f.o.Servers[at:]...), f.o.Servers[:at]...),
		Dial:    dialFrom(func() net.IP { return source(h.number) }),
		Timeout: f.o.Timeout, Retry: f.shorter(time.Minute), Disk: disktest.New(uint64(h.number)), Observe: r.observe,
		Delay: func(within time.Duration) time.Duration { return mathrand.N(f.shorter(within) + 1) },
	})
	if err != nil {
		return nil, err
	}
	if err := r.box.OptIn([]byte(credential.Certificate + credential.PrivateKey)); err != nil {
		return nil, err
	}
	f.keep(r)
	return r, nil
}

// shorter is a delay of life in this run.
func (f *fleet) shorter(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*float64(f.o.Duration)/float64(sixHours*6*time.Hour)), 10*time.Millisecond)
}

// observe is told of each request of the outbox. The first of a batch was due
// earlier, by what it waited here.
func (r *reports) observe(path string, took time.Duration, err error) {
	if op, ok := requests[path]; ok {
		r.fleet.meter.done(op, took+r.late, err)
		r.late = 0
	}
}

func (r *reports) prepare(ctx context.Context, ref vote.Ref, rules manifests.VoteRules) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.box.Prepare(ctx, ref, rules, tokenWithin); err != nil {
		r.fleet.failed(ctx, "reports: ", err)
	}
	r.wind(ctx)
}

// tell queues the attempt and the trial, which the outbox sends after it.
func (r *reports) tell(ctx context.Context, ref vote.Ref, outcome vote.Vote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for class, v := range map[vote.Class]vote.Vote{vote.Attempt: {V: 1}, vote.Trial: outcome} {
		within := outcomeWithin
		if class == vote.Attempt {
			within = attemptWithin
		}
		if err := r.box.Report(ref, class, v, within); err != nil {
			r.fleet.failed(ctx, fmt.Sprintf("report %s: ", class), err)
		}
	}
	r.wind(ctx)
}

// wind sets the clock to what is due next.
func (r *reports) wind(ctx context.Context) {
	next := r.box.Next()
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.over || next.IsZero() || ctx.Err() != nil {
		return
	}
	if now := time.Now(); next.Before(now) {
		next = now // it was not to be sent before it was known
	}
	r.timer = time.AfterFunc(time.Until(next), func() { r.send(ctx, next) })
}

// send sends what is due since a moment.
func (r *reports) send(ctx context.Context, due time.Time) {
	select {
	case r.fleet.sending <- struct{}{}:
		defer func() { <-r.fleet.sending }()
	case <-ctx.Done():
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	r.late = max(time.Since(due), 0)
	// What fails is told to observe, and waits in the outbox for its next time.
	if err := r.box.Send(ctx); err != nil && ctx.Err() == nil && r.late > 0 {
		r.fleet.meter.failed("outbox: " + kindOf(err)) // no request was made
	}
	r.wind(ctx)
}

// tally is what became of the votes of a fleet.
type tally struct {
	acknowledged map[cell]int64
	unsure       map[cell]int64 // sent, and no answer came
	waiting      int64          // in outboxes, sent or not
}

// cell is a build and a class of its votes.
type cell struct {
	build manifests.Build
	class vote.Class
}

// add counts the votes of one outbox.
func (t *tally) add(r *reports) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	waiting := r.box.Waiting()
	t.waiting += int64(waiting)
	for _, s := range r.box.Sent() {
		switch at := (cell{s.Build, s.Class}); {
		case s.Counted:
			t.acknowledged[at]++
		case waiting > 0: // it may have been counted, and the answer lost
			t.unsure[at]++
		}
	}
}
