package live

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Bounds and times of Options that are zero.
const (
	// Look is how often the log is read while somebody listens, although nobody
	// said that it grew.
	Look = 2 * time.Second
	// Every is the least time between two events of a stream.
	Every = 500 * time.Millisecond
	// Heartbeat is the time between two signs of life, and between two looks
	// whether the reader may still read.
	Heartbeat = 15 * time.Second
	// Patience is how long a reader may take for one event.
	Patience = 10 * time.Second
	// Backlog is how many entries a stream may have missed; beyond them it is
	// told to ask for everything.
	Backlog = 2000
	// Topics is how many may wait for a stream; beyond them likewise.
	Topics = 500
)

// page is how many entries are read at once.
const page = 500

// readTime bounds one look at the ledger.
const readTime = 5 * time.Second

// Ledger is the part of the ledger that is read.
type Ledger interface {
	AuditHead(ctx context.Context) (audit.Head, error)
	Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error)
}

// Options of a Hub. Times that are zero are those above.
type Options struct {
	Ledger Ledger
	// Product tells which product an entry concerns; empty if none in
	// particular.
	Product func(ctx context.Context, e store.Entry) (manifests.Product, error)
	// Counted gives the releases whose votes are counted.
	Counted func(ctx context.Context) ([]vote.Ref, error)
	// ShowEvery is how often what is shown of votes moves on.
	ShowEvery time.Duration

	Look, Every, Heartbeat, Patience time.Duration

	Now func() time.Time
	Log *slog.Logger
}

// change is something that has changed. Its seq is 0 if no entry stands for it.
type change struct {
	seq     int64
	at      time.Time
	product manifests.Product
	topics  []string
}

// Hub hands what has changed to streams. It is safe for concurrent use.
type Hub struct {
	Options
	kick   chan struct{}
	closed chan struct{}
	counts counts

	mu      sync.Mutex
	ended   bool
	streams map[*stream]struct{}
	at      int64     // the last entry that was handed out, while there are streams
	period  time.Time // of what is shown of votes, likewise
	failing bool      // the ledger could not be read
}

// New makes a hub. Run has it read.
func New(o Options) *Hub {
	for _, d := range []struct {
		to *time.Duration
		or time.Duration
	}{{&o.Look, Look}, {&o.Every, Every}, {&o.Heartbeat, Heartbeat}, {&o.Patience, Patience}} {
		if *d.to <= 0 {
			*d.to = d.or
		}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Hub{Options: o, kick: make(chan struct{}, 1), closed: make(chan struct{}), streams: map[*stream]struct{}{}}
}

// Kick has the log read now, if anybody listens. It never blocks.
func (h *Hub) Kick() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// Run reads for all streams until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	tick := time.NewTicker(h.Look)
	defer tick.Stop()
	for {
		h.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-h.kick:
		case <-tick.C:
		}
	}
}

// look reads what is new. Nothing is read while nobody listens.
func (h *Hub) look(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) == 0 {
		return
	}
	ctx, done := context.WithTimeout(ctx, readTime)
	defer done()
	err := errors.Join(h.read(ctx), h.count(ctx))
	if err != nil && !h.failing && ctx.Err() == nil {
		h.Log.Error("dashboards are told of nothing until the ledger can be read", "error", err)
	}
	h.failing = err != nil
}

// read hands out the entries that are new. A lock is held.
func (h *Hub) read(ctx context.Context) error {
	for range Backlog / page {
		list, err := h.Ledger.Entries(ctx, store.EntryQuery{After: h.at, Limit: page})
		if err != nil {
			return err
		}
		for _, e := range list {
			c, err := h.changeOf(ctx, e)
			if err != nil {
				return err
			}
			h.hand(c)
			h.at = e.Seq
		}
		if len(list) < page {
			return nil
		}
	}
	return h.skip(ctx)
}

// skip gives up telling one by one. A lock is held.
func (h *Hub) skip(ctx context.Context) error {
	head, err := h.Ledger.AuditHead(ctx)
	if err != nil {
		return err
	}
	h.at = head.Seq
	for s := range h.streams {
		s.lose(head.Seq)
	}
	return nil
}

func (h *Hub) changeOf(ctx context.Context, e store.Entry) (change, error) {
	product, err := h.Product(ctx, e)
	return change{seq: e.Seq, at: e.At, product: product, topics: topicsOf(e, product)}, err
}

func (h *Hub) hand(c change) {
	for s := range h.streams {
		s.add(c)
	}
}

// count tells of a new period of what is shown of votes: of all releases that
// are counted, whether or not anything was, and at its beginning. Where there
// are no periods, each look is one. A lock is held.
func (h *Hub) count(ctx context.Context) error {
	now := h.Now()
	period := now.Truncate(max(h.ShowEvery, h.Look))
	if h.period.Equal(period) || h.Counted == nil {
		return nil
	}
	list, err := h.Counted(ctx)
	if err != nil {
		return err
	}
	h.period = period
	for _, ref := range list {
		h.hand(change{at: period, product: ref.Product, topics: []string{countsOf(ref)}})
	}
	return nil
}

// enter adds a stream, and gives the number of the last entry that it will not
// be handed. The first one has the reader begin at the end of the log.
func (h *Hub) enter(ctx context.Context, s *stream) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return 0, ErrClosed
	}
	if len(h.streams) == 0 {
		ctx, done := context.WithTimeout(ctx, readTime)
		defer done()
		head, err := h.Ledger.AuditHead(ctx)
		if err != nil {
			return 0, err
		}
		h.at, h.period = head.Seq, h.Now().Truncate(max(h.ShowEvery, h.Look))
	}
	h.streams[s] = struct{}{}
	h.counts.opened.Add(1)
	h.counts.open.Add(1)
	return h.at, nil
}

func (h *Hub) leave(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
	h.counts.open.Add(-1)
}

// Close ends every stream and lets none begin.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.ended = true
		close(h.closed)
	}
}
