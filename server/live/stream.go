package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// ErrClosed: the server is about to end.
var ErrClosed = errors.New("this server is about to end; ask again")

// Reader is who listens.
type Reader struct {
	// After is the number of the last event that came; negative if none did.
	After int64
	// May tells whether what concerns a product may be told; what concerns none
	// in particular if it is empty.
	May func(manifests.Product) bool
	// Still is asked at each heartbeat, and gives May as of then. ErrOver ends
	// the stream; any other error changes nothing.
	Still func(ctx context.Context) (func(manifests.Product) bool, error)
}

// ErrOver is why a stream ends whose reader may not read any more.
var ErrOver = errors.New("the session or token is over")

// stream is what waits to be told to one reader.
type stream struct {
	news chan struct{} // has one if something waits

	mu      sync.Mutex
	may     func(manifests.Product) bool
	seq     int64           // of the last entry that waits
	at      time.Time       // of the last that waits
	changed map[string]bool // topics that wait, with an ID
	counted map[string]bool // topics that wait, without
	lost    bool            // too much waited
}

func newStream(may func(manifests.Product) bool) *stream {
	return &stream{news: make(chan struct{}, 1), may: may, changed: map[string]bool{}, counted: map[string]bool{}}
}

// begin says from which entry on the stream is told.
func (s *stream) begin(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq = max(s.seq, seq)
}

// add has something wait. It never blocks.
func (s *stream) add(c change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.may(c.product) {
		return
	}
	set := s.changed
	if c.seq == 0 {
		set = s.counted
	} else {
		s.seq = max(s.seq, c.seq)
	}
	for _, t := range c.topics {
		set[t] = true
	}
	if len(s.changed)+len(s.counted) > Topics {
		s.lost = true
		clear(s.changed)
		clear(s.counted)
	}
	if c.at.After(s.at) {
		s.at = c.at
	}
	s.wake()
}

// lose has the reader ask for everything.
func (s *stream) lose(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost, s.seq = true, max(s.seq, seq)
	s.wake()
}

func (s *stream) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// take gives what waits, as it is written.
func (s *stream) take(now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out bytes.Buffer
	at := s.at
	if at.IsZero() {
		at = now
	}
	switch {
	case s.lost:
		event(&out, "reset", s.seq, now, nil)
	default:
		if len(s.changed) > 0 {
			event(&out, "changed", s.seq, at, s.changed)
		}
		if len(s.counted) > 0 {
			event(&out, "counted", none, at, s.counted)
		}
	}
	s.lost = false
	clear(s.changed)
	clear(s.counted)
	return out.Bytes()
}

// none is the ID of an event that has none.
const none = -1

// event writes one event.
func event(out *bytes.Buffer, name string, id int64, at time.Time, topics map[string]bool) {
	data, err := json.Marshal(struct {
		At     time.Time `json:"at"`
		Topics []string  `json:"topics"`
	}{at.UTC(), sorted(topics)})
	if err != nil {
		panic(err) // times and texts
	}
	fmt.Fprintf(out, "event: %s\n", name)
	if id != none {
		fmt.Fprintf(out, "id: %d\n", id)
	}
	fmt.Fprintf(out, "data: %s\n\n", data)
}

// Serve tells r until its reader has gone or may not read any more, or the hub
// is closed. An error means that nothing was written.
func (h *Hub) Serve(w http.ResponseWriter, req *http.Request, r Reader) error {
	ctx := req.Context()
	s := newStream(r.May)
	from, err := h.enter(ctx, s)
	if err != nil {
		return err
	}
	defer h.leave(s)
	first := from
	if r.After >= 0 && r.After < from {
		first = r.After // whoever hears no more than this resumes here
	}
	s.begin(first)
	if err := h.resume(ctx, s, r.After, from); err != nil {
		return err
	}
	out := &writer{w: w, control: http.NewResponseController(w), patience: h.Patience}
	if err := out.begin(); err != nil {
		return err
	}
	var hello bytes.Buffer
	event(&hello, "hello", first, h.Now(), nil)
	if err := out.write(hello.Bytes()); err != nil {
		h.counts.slow.Add(1)
		return nil
	}
	switch err := h.tell(ctx, s, out, r); {
	case errors.Is(err, ErrOver):
		h.counts.over.Add(1)
	case err != nil:
		h.counts.slow.Add(1)
	}
	return nil
}

// resume has everything wait that a reader has missed, up to the entry from
// which on it is handed what comes.
func (h *Hub) resume(ctx context.Context, s *stream, after, from int64) error {
	if after < 0 || after == from {
		return nil
	}
	if after > from || from-after > Backlog { // a restored ledger is shorter than the one before
		s.lose(from)
		return nil
	}
	for after < from {
		list, err := h.Ledger.Entries(ctx, store.EntryQuery{After: after, Limit: int(min(page, from-after))})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			s.lose(from)
			return nil
		}
		for _, e := range list {
			c, err := h.changeOf(ctx, e)
			if err != nil {
				return err
			}
			s.add(c)
			after = e.Seq
		}
	}
	return nil
}

// tell writes what waits, at most once in Every, and heartbeats. Its error is
// ErrOver, or that of a writer whose reader is slow or gone; nil means that the
// reader left or the hub was closed.
func (h *Hub) tell(ctx context.Context, s *stream, out *writer, r Reader) error {
	beat := time.NewTicker(h.Heartbeat)
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	paused := false
	for {
		news := s.news
		if paused {
			news = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.closed:
			return out.write(fmt.Appendf(nil, "retry: %d\n\n", leastRetry+rand.N(mostRetry-leastRetry)))
		case <-pause.C:
			paused = false
		case <-news:
			data := s.take(h.Now())
			if len(data) == 0 {
				continue
			}
			if err := out.write(data); err != nil {
				return err
			}
			h.counts.events.Add(1)
			paused = true
			pause.Reset(h.Every)
		case <-beat.C:
			if err := h.beat(ctx, s, out, r); err != nil {
				return err
			}
		}
	}
}

// When a reader whose server ends comes back, in milliseconds: soon, and not
// all at once.
const leastRetry, mostRetry = 500, 3000

func (h *Hub) beat(ctx context.Context, s *stream, out *writer, r Reader) error {
	may, err := r.Still(ctx)
	if errors.Is(err, ErrOver) {
		return err
	}
	if err == nil {
		s.mu.Lock()
		s.may = may
		s.mu.Unlock()
	}
	return out.write([]byte(":\n\n"))
}
