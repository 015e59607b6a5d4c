package watch

import (
	"strconv"
	"sync"
	"time"
)

// shard is a part of the streams and the one goroutine that writes to them.
type shard struct {
	hub  *Hub
	wake chan struct{} // streams have joined, or a product has moved
	// tidies says that this one gives memory back, for all.
	tidies bool

	mu      sync.Mutex
	ended   bool
	joining []*stream

	// Of the goroutine alone.
	streams []*stream
	next    int // of the round
	line    []byte
	tidier  tidier
}

// rounds is how many ticks it takes to look at every stream once.
const rounds = 5

// signal has the goroutine look at what joined and what moved, soon.
func (s *shard) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it will anyway
	}
}

// take gives the shard a stream; false: it has ended.
func (s *shard) take(one *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.joining = append(s.joining, one)
	s.signal()
	return true
}

func (s *shard) run() {
	tick := time.NewTicker(min(max(s.hub.options.Heartbeat/(2*rounds), 10*time.Millisecond), time.Second))
	defer tick.Stop()
	for {
		select {
		case <-s.hub.done:
			s.farewell()
			return
		case <-s.wake:
			s.admit()
			s.tell()
		case now := <-tick.C:
			s.round(now)
			if s.tidies && s.tidier.due(s.hub.counts.opened.Load(), now) {
				go tidy()
			}
		}
	}
}

func (s *shard) admit() {
	s.mu.Lock()
	joined := s.joining
	s.joining = nil
	s.mu.Unlock()
	s.streams = append(s.streams, joined...)
}

// tell wakes the streams whose product stands elsewhere than they were told.
func (s *shard) tell() {
	for i := 0; i < len(s.streams); {
		one := s.streams[i]
		v := one.topic.version.Load()
		if v == one.told {
			i++
			continue
		}
		s.line = headEvent(s.line[:0], v)
		if !s.write(i, s.line) {
			continue // another stands there now
		}
		one.told = v
		s.hub.counts.woken.Add(1)
		i++
	}
}

var heartbeat = []byte(":\n\n")

// round looks at a part of the streams: who has gone is dropped, and who has
// heard nothing for long gets a heartbeat.
func (s *shard) round(now time.Time) {
	for range (len(s.streams) + rounds - 1) / rounds {
		if s.next >= len(s.streams) {
			s.next = 0
		}
		if len(s.streams) == 0 {
			return
		}
		one := s.streams[s.next]
		switch state := one.look(); {
		case state == gone:
			s.drop(s.next, state)
			continue
		case now.Sub(epoch)-one.heard >= s.hub.options.Heartbeat && !s.write(s.next, heartbeat):
			continue
		}
		s.next++
	}
}

// write writes to the stream at i, and drops it if that would mean to wait.
func (s *shard) write(i int, data []byte) bool {
	state := s.streams[i].write(data)
	if state != ready {
		s.drop(i, state)
	}
	return state == ready
}

func (s *shard) drop(i int, why condition) {
	one, last := s.streams[i], len(s.streams)-1
	s.streams[i], s.streams[last] = s.streams[last], nil
	s.streams = s.streams[:last]
	one.cut()
	s.hub.release(one.from)
	if why == full {
		s.hub.counts.slow.Add(1)
	} else {
		s.hub.counts.gone.Add(1)
	}
}

// farewell tells each stream when to come back, and ends it.
func (s *shard) farewell() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.admit()
	s.tell()
	for len(s.streams) > 0 {
		last := len(s.streams) - 1
		one := s.streams[last]
		if s.write(last, retryEvent(nil, s.hub.comeBack())) {
			s.streams[last] = nil
			s.streams = s.streams[:last]
			one.end()
			s.hub.release(one.from)
		}
	}
}

// headEvent says where a product stands.
func headEvent(to []byte, version uint64) []byte {
	to = append(to, "event: head\ndata: "...)
	to = strconv.AppendUint(to, version, 10)
	return append(to, "\n\n"...)
}

// retryEvent says after how long to come back when the stream has ended.
func retryEvent(to []byte, after time.Duration) []byte {
	to = append(to, "retry: "...)
	to = strconv.AppendInt(to, after.Milliseconds(), 10)
	return append(to, "\n\n"...)
}
