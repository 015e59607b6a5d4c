package hooks

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/webhook"
	"github.com/candor-ota/candor/server/store"
)

// Ledger is the part of the ledger that is needed here.
type Ledger interface {
	store.Hooks
	store.Leases
	Rollouts
	Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error)
}

// Options of a Dispatcher.
type Options struct {
	Ledger Ledger
	Hooks  []Config
	Now    func() time.Time
	Log    *slog.Logger // nil is slog.Default

	// Deadline of one try; 15 s if zero.
	Deadline time.Duration
	// Look is how often the log is looked at unless somebody kicks; 2 s if
	// zero. Entries of other processes are noticed by it.
	Look time.Duration
	// Jitter gives a random part of a wait; nil is math/rand.
	Jitter func(most time.Duration) time.Duration
}

// Dispatcher serves the hooks. It is safe for concurrent use.
type Dispatcher struct {
	hooks   []Config
	workers []*worker
}

// New makes a Dispatcher; without hooks it does nothing. It changes nothing
// until Run.
func New(o Options) (*Dispatcher, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Deadline <= 0 {
		o.Deadline = sendTime
	}
	if o.Look <= 0 {
		o.Look = 2 * time.Second
	}
	if o.Jitter == nil {
		o.Jitter = func(most time.Duration) time.Duration { return mrand.N(most) + 1 }
	}
	d := &Dispatcher{hooks: o.Hooks}
	holder := rand.Text()
	for _, c := range o.Hooks {
		s, err := newSender(c, o.Deadline, o.Now)
		if err != nil {
			return nil, err
		}
		d.workers = append(d.workers, &worker{Options: o, sender: s, holder: holder, kick: make(chan struct{}, 1)})
	}
	return d, nil
}

// Hooks gives the hooks that are served.
func (d *Dispatcher) Hooks() []Config { return d.hooks }

// Run serves the hooks until ctx ends, each by a goroutine of its own: one that
// is slow holds up no other.
func (d *Dispatcher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, w := range d.workers {
		all.Go(func() { w.run(ctx) })
	}
	all.Wait()
}

// Kick has the log looked at now. It never blocks.
func (d *Dispatcher) Kick() {
	for _, w := range d.workers {
		select {
		case w.kick <- struct{}{}:
		default:
		}
	}
}

// Test delivers an event hook.test, once, past the log.
func Test(ctx context.Context, c Config, who string, now func() time.Time) error {
	s, err := newSender(c, sendTime, now)
	if err != nil {
		return err
	}
	e := webhook.Event{
		ID: string(c.Name) + ".test-" + rand.Text(), Event: "hook.test", At: manifests.At(now()), Subject: string(c.Name), Who: who,
	}
	if err := s.send(ctx, e); err != nil {
		return fmt.Errorf("webhook %s: %w", c.Name, err)
	}
	return nil
}
