package watch

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Why a stream is not opened.
var (
	ErrNoProduct   = errors.New("there is no such product")
	ErrFull        = errors.New("as many streams are open as this server takes")
	ErrAddressFull = errors.New("as many streams are open as one address may have")
	ErrClosed      = errors.New("the server is ending")
)

// Options of a Hub.
type Options struct {
	// Streams is how many may be open at once, PerAddress how many of them for
	// one address; zero is no bound.
	Streams, PerAddress int
	// Heartbeat is the time between two heartbeats; zero is DefaultHeartbeat.
	Heartbeat time.Duration
}

// DefaultHeartbeat is below the 60 s after which proxies, as they come, give up
// on a stream that is silent.
const DefaultHeartbeat = 50 * time.Second

// Hub holds all streams. It is safe for concurrent use.
type Hub struct {
	options Options
	shards  []*shard
	done    chan struct{}
	ended   sync.WaitGroup // shards
	opening sync.WaitGroup // streams that no shard has yet
	counts  counts

	mu     sync.Mutex
	closed bool
	topics map[manifests.Product]*topic
	open   int
	most   atomic.Int64 // that were open when Close began
	from   map[netip.Prefix]int
}

// topic is a product that can be watched.
type topic struct{ version atomic.Uint64 }

type counts struct{ open, opened, woken, slow, gone, refused atomic.Int64 }

// Stats are counted since the hub was made, but for Open.
type Stats struct {
	Open    int64 // streams, now
	Opened  int64
	Woken   int64 // wake-ups written
	Slow    int64 // dropped, as they did not read
	Gone    int64 // ended by the peer, or by what lies between
	Refused int64 // beyond a bound
}

// New makes a hub without products; Close ends it.
func New(o Options) *Hub {
	if o.Heartbeat <= 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	h := &Hub{options: o, done: make(chan struct{}), topics: map[manifests.Product]*topic{}, from: map[netip.Prefix]int{}}
	for i := range 2 * runtime.GOMAXPROCS(0) {
		h.shards = append(h.shards, &shard{hub: h, wake: make(chan struct{}, 1), tidies: i == 0})
	}
	for _, s := range h.shards {
		h.ended.Go(s.run)
	}
	return h
}

// Moved tells where each product stands. Streams of those that have risen are
// woken; it does not wait for that. A number never falls.
func (h *Hub) Moved(versions map[manifests.Product]uint64) {
	h.mu.Lock()
	rose := false
	for product, v := range versions {
		t := h.topics[product]
		if t == nil {
			t = &topic{}
			h.topics[product] = t
		}
		if v > t.version.Load() {
			t.version.Store(v)
			rose = true
		}
	}
	h.mu.Unlock()
	if !rose {
		return
	}
	for _, s := range h.shards {
		s.signal()
	}
}

// admit counts a stream that is to be opened; the caller calls opening.Done
// when it is, or will not be.
func (h *Hub) admit(p manifests.Product, from netip.Prefix) (*topic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[p]
	switch {
	case h.closed:
		return nil, ErrClosed
	case t == nil:
		return nil, ErrNoProduct
	case h.options.Streams > 0 && h.open >= h.options.Streams:
		h.counts.refused.Add(1)
		return nil, ErrFull
	case h.options.PerAddress > 0 && h.from[from] >= h.options.PerAddress:
		h.counts.refused.Add(1)
		return nil, ErrAddressFull
	}
	h.opening.Add(1)
	h.open++
	h.from[from]++
	h.counts.open.Store(int64(h.open))
	return t, nil
}

// release is the opposite of admit.
func (h *Hub) release(from netip.Prefix) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	if h.from[from]--; h.from[from] == 0 {
		delete(h.from, from)
	}
	h.counts.open.Store(int64(h.open))
}

// join hands an open stream to a shard, or sends it away if the hub has ended.
func (h *Hub) join(s *stream) {
	sh := h.shards[rand.IntN(len(h.shards))]
	if sh.take(s) {
		return
	}
	if s.write(retryEvent(nil, h.comeBack())) == ready {
		s.end()
	} else {
		s.cut()
	}
	h.release(s.from)
}

// reconnects is how many streams a second may come back after all have ended.
const reconnects = 200

// comeBack is the time of one stream to come back after it ended: random, and
// the later the more streams there are.
func (h *Hub) comeBack() time.Duration {
	const least = 5 * time.Second
	within := time.Duration(max(h.counts.open.Load(), h.most.Load())) * time.Second / reconnects
	return least + rand.N(min(max(within, 10*time.Second), 10*time.Minute))
}

// Stats gives the counts of now.
func (h *Hub) Stats() Stats {
	c := &h.counts
	return Stats{
		Open: c.open.Load(), Opened: c.opened.Load(), Woken: c.woken.Load(),
		Slow: c.slow.Load(), Gone: c.gone.Load(), Refused: c.refused.Load(),
	}
}

// Close tells every stream when to come back, ends it, and opens no other. It
// may be repeated.
func (h *Hub) Close() {
	h.mu.Lock()
	first := !h.closed
	h.closed = true
	h.mu.Unlock()
	if first {
		h.most.Store(h.counts.open.Load())
		close(h.done)
	}
	h.ended.Wait()
	h.opening.Wait()
}
