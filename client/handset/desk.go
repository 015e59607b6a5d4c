package handset

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/status"
)

const (
	maxRequests = 16 // that wait for the agent
	maxEvents   = 64 // that wait for one reader
)

// desk is where requests and events change hands: connections on one side, the
// one goroutine of the agent on the other. Only what is marked so is safe for
// the first.
type desk struct {
	wake chan struct{} // something waits to be carried out

	mu       sync.Mutex
	newest   status.Report
	waiting  []*request
	watchers map[chan status.Event]struct{}
	served   bool // somebody carries requests out
}

// request is one that waits.
type request struct {
	status.Request
	done chan answer
}

type answer struct {
	preview *status.Preview
	err     error
}

func newDesk() *desk {
	return &desk{wake: make(chan struct{}, 1), watchers: map[chan status.Event]struct{}{}}
}

var (
	errTooMany = fmt.Errorf("%d requests wait for the agent already", maxRequests)
	errEnding  = errors.New("the agent is ending; ask again")
)

// Newest gives the newest report; safe for connections.
func (d *desk) Newest() status.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.newest
}

// Do hands a request to the agent and waits for its answer; safe for
// connections. When the context ends, the agent may still carry it out.
func (d *desk) Do(ctx context.Context, r status.Request) (*status.Preview, error) {
	q := &request{r, make(chan answer, 1)}
	if err := d.put(q); err != nil {
		return nil, err
	}
	select {
	case a := <-q.done:
		return a.preview, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-q.done:
		return a.preview, a.err
	default:
		return nil, errEnding
	}
}

func (d *desk) put(q *request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.served:
		return errEnding
	case len(d.waiting) >= maxRequests:
		return errTooMany
	}
	d.waiting = append(d.waiting, q)
	select {
	case d.wake <- struct{}{}:
	default:
	}
	return nil
}

// take gives what waits, to the agent.
func (d *desk) take() []*request {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.wake:
	default:
	}
	taken := d.waiting
	d.waiting = nil
	return taken
}

// serve says whether somebody carries requests out.
func (d *desk) serve(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.served = on
}

func (d *desk) isServed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.served
}

// Events gives what happens from now on; safe for connections.
func (d *desk) Events() (events <-chan status.Event, end func()) {
	c := make(chan status.Event, maxEvents)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watchers[c] = struct{}{}
	return c, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.drop(c)
	}
}

// drop ends a reader, once.
func (d *desk) drop(c chan status.Event) {
	if _, there := d.watchers[c]; there {
		delete(d.watchers, c)
		close(c)
	}
}

// publish keeps a report and tells of it, without waiting for anybody.
func (d *desk) publish(r status.Report, e status.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newest = r
	for c := range d.watchers {
		select {
		case c <- e:
		default:
			d.drop(c)
		}
	}
}

// observe is told by the agent in the midst of a step.
func (h *Handset) observe(s agent.Status) {
	before := h.desk.Newest()
	if before.Status.State == s.State && before.Status.Code == s.Code && before.Status.Sentence == s.Sentence && s.Progress != nil {
		before.Status = s
		h.desk.publish(before, status.Event{Event: status.ProgressEvent, Progress: s.Progress})
		return
	}
	h.refresh()
}

// refresh has the newest report known.
func (h *Handset) refresh() {
	r, err := h.Report()
	if err != nil {
		h.log.Warn("the report is not the newest", "reason", err)
		return
	}
	h.desk.publish(r, r.Event())
}
