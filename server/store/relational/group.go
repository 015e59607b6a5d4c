package relational

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// Group commit. One fsync per vote would cap the server at what the disk can
// fsync; a group shares one. Committing whatever is queued at the moment does
// not work on one CPU: the writer is woken by the first of 256 callers, finds
// one vote and fsyncs it. So it lingers: while votes keep coming it waits, a
// step at a time, up to a limit that a single caller never notices.
const (
	lingerStep  = 500 * time.Microsecond
	lingerSteps = 4    // so 2 ms at most
	groupLimit  = 1024 // votes in one transaction
	groupQueue  = 4096 // votes that wait; more are told ErrBusy
)

// job is one vote or issue record that shares a transaction with others.
type job struct {
	cast   *store.Ballot // one of the two
	issue  *store.Issue
	answer error // a store sentinel; it spoils nothing for the others
	done   chan error
}

type group struct {
	write    func(context.Context, []*job) error
	queue    chan *job
	closing  chan struct{}
	finished chan struct{}
	once     sync.Once
	told     atomic.Pointer[func(store.Commit)] // after each group
}

func newGroup(write func(context.Context, []*job) error) *group {
	g := &group{
		write: write, queue: make(chan *job, groupQueue),
		closing: make(chan struct{}), finished: make(chan struct{}),
	}
	go g.run()
	return g
}

// close writes what waits and stops.
func (g *group) close() {
	g.once.Do(func() { close(g.closing) })
	<-g.finished
}

var errLedgerClosed = errors.New("the ledger is closed")

// submit queues a write and waits until it is durable. When ctx ends first the
// write may still happen.
func (g *group) submit(ctx context.Context, j *job) error {
	j.done = make(chan error, 1)
	select {
	case <-g.closing:
		return errLedgerClosed
	default:
	}
	select {
	case g.queue <- j:
	default:
		return store.ErrBusy
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-g.finished:
		select {
		case err := <-j.done:
			return err
		default:
			return errLedgerClosed
		}
	}
}

// OnCommit has f called after each group.
func (l *Ledger) OnCommit(f func(store.Commit)) { l.group.told.Store(&f) }

// Queued is how many votes and issue records wait.
func (l *Ledger) Queued() int { return len(l.group.queue) }

func (g *group) run() {
	defer close(g.finished)
	timer := time.NewTimer(lingerStep)
	defer timer.Stop()
	for {
		select {
		case first := <-g.queue:
			g.commit(g.gather(first, timer))
		case <-g.closing:
			for {
				select {
				case first := <-g.queue:
					g.commit(g.gather(first, timer))
				default:
					return
				}
			}
		}
	}
}

// gather collects a group, lingering while it grows.
func (g *group) gather(first *job, timer *time.Timer) []*job {
	jobs := []*job{first}
	for range lingerSteps {
		before := len(jobs)
		timer.Reset(lingerStep)
		for waiting := true; waiting; {
			select {
			case j := <-g.queue:
				if jobs = append(jobs, j); len(jobs) == groupLimit {
					return jobs
				}
			case <-timer.C:
				waiting = false
			}
		}
		if len(jobs) == before {
			break
		}
	}
	return jobs
}

// commit writes a group and tells each caller. The context is not that of any
// caller: one who goes away must not take the others along.
func (g *group) commit(jobs []*job) {
	began := time.Now()
	err := g.write(context.Background(), jobs)
	if told := g.told.Load(); told != nil {
		(*told)(store.Commit{Writes: len(jobs), Took: time.Since(began), Err: err})
	}
	for _, j := range jobs {
		if err != nil {
			j.done <- err
		} else {
			j.done <- j.answer
		}
	}
}
