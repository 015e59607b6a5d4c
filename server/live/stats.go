package live

import "sync/atomic"

type counts struct{ open, opened, slow, over, events atomic.Int64 }

// Stats are counted since the hub was made, but for Open.
type Stats struct {
	Open   int64 // streams
	Opened int64
	Slow   int64 // streams that were dropped because their reader was slow or gone
	Over   int64 // streams that ended with the session or token
	Events int64 // written
}

// Stats gives the counts of now.
func (h *Hub) Stats() Stats {
	return Stats{
		Open: h.counts.open.Load(), Opened: h.counts.opened.Load(), Slow: h.counts.slow.Load(), Over: h.counts.over.Load(),
		Events: h.counts.events.Load(),
	}
}
