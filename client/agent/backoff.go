package agent

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
)

const (
	triesADay  = 10          // failed tries at a release, after which only ordinary polls follow
	firstRetry = time.Minute // greatest wait after a first failure, doubled for each further
	budgetDay  = 24 * time.Hour
)

// backoff is what failed steps have cost, and when the next is due. It outlives
// the process, so that one that ends and begins again costs no more.
type backoff struct {
	Release manifests.SHA256 `json:"release,omitzero"` // of the running update; zero: the look for news
	InARow  int              `json:"inARow,omitempty"`
	Day     *manifests.Time  `json:"day,omitempty"`   // when counting began
	Tries   int              `json:"tries,omitempty"` // that failed, since Day
	Next    *manifests.Time  `json:"next,omitempty"`  // try
	Busy    *manifests.Time  `json:"busy,omitempty"`  // the server asked to be left alone until then
}

// NextTry says when a failed step is tried again.
type NextTry struct {
	At    time.Time
	Busy  time.Time // not before, if it is set: the server asked for it
	Tries int       // that failed today
	Why   string    // a sentence
}

// wallClock is the handset's, or where that was never set, the machine's: it
// runs even if it is wrong, and a wait needs no more.
func (a *Agent) wallClock() time.Time {
	if now, set := a.Device.Now(); set {
		return now
	}
	return time.Now()
}

func (a *Agent) random(n int64) int64 {
	if a.Random != nil {
		return a.Random(n)
	}
	return rand.Int64N(n)
}

// countFailure plans the next try: after a random part of a bound that doubles
// (full jitter), and no sooner than the server asked for. The day's tries spent,
// only ordinary polls follow.
func (a *Agent) countFailure(failure error) {
	b, now := &a.mem.Backoff, a.wallClock()
	if b.Release != a.rec.Release {
		*b = backoff{Release: a.rec.Release}
	}
	if b.Day == nil || now.Before(b.Day.Time) || !now.Before(b.Day.Add(budgetDay)) {
		b.Day, b.Tries = new(manifests.At(now)), 0
	}
	b.Tries++
	b.InARow++
	bound := min(firstRetry<<min(b.InARow-1, 20), max(a.Config.Poll.Every.Duration, firstRetry))
	wait := time.Duration(a.random(int64(bound) + 1))
	b.Busy = nil
	var busy *fetch.BusyError
	if errors.As(failure, &busy) && busy.Until.After(time.Now()) {
		asked := now.Add(time.Until(busy.Until)) // by the machine's clock there, by the handset's here
		b.Busy, wait = new(manifests.At(asked.Add(time.Second))), wait+asked.Sub(now)
	}
	if b.Tries >= triesADay {
		wait = max(wait, a.Config.Poll.Next(a.random))
	}
	b.Next = new(manifests.At(now.Add(max(wait, time.Second))))
}

// countSuccess ends the waits; what the day has cost stays.
func (a *Agent) countSuccess() {
	a.endWait()
	a.mem.Backoff.InARow = 0
}

// endWait lets the next try come at once. Failures are still in a row: a step
// that ends with a restart has not succeeded before the handset is back.
func (a *Agent) endWait() { a.mem.Backoff.Next, a.mem.Backoff.Busy = nil, nil }

// NextTry tells when a failed step is tried again; false: the last one did not
// fail. A time further ahead than any wait was stored before a clock was set
// back: it has come.
func (a *Agent) NextTry() (NextTry, bool) {
	b := a.mem.Backoff
	if b.InARow == 0 {
		return NextTry{}, false
	}
	now := a.wallClock()
	longest := now.Add(max(a.Config.Poll.Every.Duration+a.Config.Poll.Jitter.Duration, firstRetry) + maxBusy)
	out := NextTry{Tries: b.Tries, At: now}
	if b.Next != nil && b.Next.Before(longest) {
		out.At = b.Next.Time
	}
	if b.Busy != nil && b.Busy.Before(longest) {
		out.Busy = b.Busy.Time
	}
	out.Why = fmt.Sprintf("It failed %d times in a row, %d times today.", b.InARow, b.Tries)
	switch {
	case b.Tries >= triesADay:
		out.Why += fmt.Sprintf(" After %d a day it is tried at the ordinary polls only.", triesADay)
	case b.Busy != nil:
		out.Why += " The server asked to be left alone for a while."
	}
	return out, true
}

// maxBusy is the longest that a server may ask for.
const maxBusy = time.Hour
