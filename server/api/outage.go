package api

import (
	"sync/atomic"
	"time"
)

// outage thins out what a database that is away would make every request say.
type outage struct{ next atomic.Int64 }

// due is true at most once a second.
func (o *outage) due(now time.Time) bool {
	next := o.next.Load()
	return now.UnixNano() >= next && o.next.CompareAndSwap(next, now.Add(time.Second).UnixNano())
}
