package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/server/votes"
)

// Options say who loads whom.
type Options struct {
	Servers []string // base addresses; handsets are spread over them
	Token   string   // of an operator, who may see counts
	Root    []byte   // that the handsets left the factory with
	Product manifests.Product
	Model   manifests.Name
	Region  manifests.Name
	Channel manifests.Name
	Running manifests.Build // that the fleet runs at the start
	Batch   votes.KeyPair   // CA of the factory batch of those that report

	Handsets  int
	Rate      float64 // polls a second
	Duration  time.Duration
	OptIn     float64       // part of the owners, of 1
	FailShare float64       // part of the handsets on which no new build works, of 1
	Cold      bool          // no handset has seen the tree: the first poll of each is a full walk
	Reconnect bool          // each poll makes a connection of its own
	InFlight  int           // polls that may be under way; more are not sent
	Timeout   time.Duration // of one request
	Goal      time.Duration // for 99 of 100 requests; 0: none
	Seed      uint64

	// CPU gives the seconds of it that the servers have used so far. May be nil.
	CPU func() (float64, error)
}

// drain is how long what is queued at the end may take to be sent.
const drain = 30 * time.Second

// sendings are the outboxes that may send at a time.
const sendings = 2048

// fleet is a run.
type fleet struct {
	o        Options
	http     *http.Client
	meter    *progress
	tree     *tree
	handsets []*handset
	sending  chan struct{}

	mu      sync.Mutex
	outbox  []*reports
	running sync.WaitGroup
	polls   atomic.Int64 // under way
}

// progress is the meter, and what the fleet has come to.
type progress struct {
	*meter
	healthy, rolledBack atomic.Int64
}

func (p *progress) installed(failed bool) {
	if failed {
		p.rolledBack.Add(1)
		return
	}
	p.healthy.Add(1)
}

// Run loads the service and gives the figures. Trouble of the service is in
// them; an error means that the run could not be made, or was broken off.
func Run(ctx context.Context, o Options) (_ []figure.Row, err error) {
	dir, err := os.MkdirTemp("", "candor-load-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f := newFleet(o, dir)
	before, err := f.counts(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := f.acquaint(ctx); err != nil {
		return nil, err
	}
	used, err := f.cpu()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := f.drive(ctx, start); err != nil {
		return nil, err
	}
	took := time.Since(start)
	if err := f.settle(ctx); err != nil {
		return nil, err
	}
	now, err := f.cpu()
	if err != nil {
		return nil, err
	}
	kept, err := f.conserved(ctx, before)
	if err != nil {
		return nil, err
	}
	rows := f.meter.rows(took, o.Goal)
	if o.CPU != nil {
		rows = append(rows, figure.Of("CPU of the servers", now-used, "s"), figure.Of("requests", float64(f.meter.requests())/(now-used), "req/CPU-s"))
	}
	rows = append(rows,
		figure.Of("handsets that came to a new build", float64(f.meter.healthy.Load()), "handsets"),
		figure.Of("trials that failed", float64(f.meter.rolledBack.Load()), "trials"))
	return append(rows, kept...), nil
}

func newFleet(o Options, dir string) *fleet {
	transport := &http.Transport{
		MaxIdleConns: o.InFlight, MaxIdleConnsPerHost: o.InFlight, DisableKeepAlives: o.Reconnect, DisableCompression: true,
		ResponseHeaderTimeout: o.Timeout, DialContext: dialFrom(inTurn()),
	}
	f := &fleet{
		o: o, http: &http.Client{Transport: transport, Timeout: o.Timeout}, meter: &progress{meter: newMeter()}, sending: make(chan struct{}, sendings),
		tree:     &tree{dir: dir, root: o.Root, product: o.Product, bases: o.Servers, seen: map[string]*view{}},
		handsets: make([]*handset, o.Handsets),
	}
	r := rand.New(rand.NewPCG(o.Seed, 1))
	for i := range f.handsets {
		f.handsets[i] = &handset{number: i, opted: r.Float64() < o.OptIn, fails: r.Float64() < o.FailShare, build: o.Running}
	}
	return f
}

// acquaint lets the fleet know the tree as it stands, but for a cold start.
func (f *fleet) acquaint(ctx context.Context) error {
	if f.o.Cold {
		return nil
	}
	v, tag, err := f.tree.now(ctx)
	if err != nil {
		return err
	}
	for _, h := range f.handsets {
		h.view, h.etag = v, tag
	}
	return nil
}

func (f *fleet) cpu() (float64, error) {
	if f.o.CPU == nil {
		return 0, nil
	}
	return f.o.CPU()
}

// drive has the polls arrive: of each handset in turn, in an order drawn once.
func (f *fleet) drive(ctx context.Context, start time.Time) error {
	r := rand.New(rand.NewPCG(f.o.Seed, 2))
	order, next := r.Perm(len(f.handsets)), 0
	err := arrivals(ctx, f.o.Rate, start, f.o.Duration, r, func(due time.Time) {
		h := f.handsets[order[next%len(order)]]
		next++
		f.meter.done(Late, time.Since(due), nil)
		if f.polls.Load() >= int64(f.o.InFlight) {
			f.meter.failed(fmt.Sprintf("polls that were not sent, as %d were under way", f.o.InFlight))
			return
		}
		f.polls.Add(1)
		f.running.Go(func() {
			defer f.polls.Add(-1)
			f.poll(ctx, h, due)
		})
	})
	f.running.Wait()
	return err
}

// keep remembers an outbox for the end.
func (f *fleet) keep(r *reports) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outbox = append(f.outbox, r)
}

func (f *fleet) outboxes() []*reports {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*reports(nil), f.outbox...)
}

// settle waits until nothing waits in an outbox any more, for a while.
func (f *fleet) settle(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(drain); time.Now().Before(end); {
		busy := false
		for _, r := range f.outboxes() {
			r.mu.Lock()
			busy = busy || !r.box.Next().IsZero()
			r.mu.Unlock()
		}
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
