package watch

import (
	"runtime/debug"
	"time"
)

// A stream is asked for by an ordinary request, which costs ten times what is
// kept of it. After many have been opened, and once no more are for a moment,
// the rest is given back to the system: it would otherwise be held for as long
// as the streams stay idle, since an idle server collects nothing.
const (
	manyOpened = 1000
	aMoment    = 2 * time.Second
)

// tidier watches for that moment.
type tidier struct {
	opened, tidied int64
	since          time.Time // nothing has been opened
}

// due tells whether the moment has come, given how many were opened so far.
func (t *tidier) due(opened int64, now time.Time) bool {
	if opened != t.opened {
		t.opened, t.since = opened, now
		return false
	}
	if opened-t.tidied < manyOpened || now.Sub(t.since) < aMoment {
		return false
	}
	t.tidied = opened
	return true
}

// tidy gives memory back. It runs beside everything else.
func tidy() { debug.FreeOSMemory() }
