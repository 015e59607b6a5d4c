package watch

import "time"

// How often a handset polls because it was woken, whatever it hears.
const (
	WakesAnHour = 6
	LeastGap    = 30 * time.Second
)

// DefaultSpread is waited out where no rollout is known that signs one.
const DefaultSpread = 10 * time.Minute

// staleFor is how long caches between server and handset may give what was
// before. A poll that was woken and sees nothing new is repeated once after it.
const staleFor = time.Minute

// Alarm says when a handset that was woken polls. The zero value is ready but
// for Random; it is for one goroutine. Times are the machine's, which run on
// when a clock is set.
type Alarm struct {
	// Random gives a number below n, from 0 on.
	Random func(n int64) int64

	heard  uint64 // the highest number that was said
	due    time.Time
	second bool        // the poll that is due is a repetition
	polled time.Time   // the last poll, whatever caused it
	woken  []time.Time // polls that wake-ups caused, in the last hour
}

// Hear takes what the server says about the product. known is the counter of
// the rollouts that were verified last, spread what they sign.
func (a *Alarm) Hear(said, known uint64, spread time.Duration, now time.Time) {
	if said <= known {
		return
	}
	a.heard = max(a.heard, said)
	if a.due.IsZero() {
		a.second = false
		a.set(a.within(spread), now)
	}
}

// Polled takes the outcome of a poll: the counter that is known now, and
// whether it succeeded. One that failed is repeated by those who poll.
func (a *Alarm) Polled(known uint64, succeeded bool, now time.Time) {
	a.polled = now
	waited := !a.due.IsZero() && !now.Before(a.due)
	if waited {
		a.woken = append(a.woken, now)
	}
	switch {
	case known >= a.heard, waited && (a.second || !succeeded):
		a.due, a.heard = time.Time{}, 0
	case waited:
		a.second = true
		a.set(staleFor+a.within(staleFor), now)
	}
}

// In tells how long to wait for the poll that is due; false: none is.
func (a *Alarm) In(now time.Time) (time.Duration, bool) {
	if a.due.IsZero() {
		return 0, false
	}
	return max(a.due.Sub(now), 0), true
}

func (a *Alarm) within(d time.Duration) time.Duration {
	return time.Duration(a.Random(int64(max(d, 0)) + 1))
}

// set makes a poll due, as far as the bounds allow.
func (a *Alarm) set(after time.Duration, now time.Time) {
	a.due = now.Add(after)
	if least := a.polled.Add(LeastGap); !a.polled.IsZero() && a.due.Before(least) {
		a.due = least
	}
	for len(a.woken) > 0 && now.Sub(a.woken[0]) >= time.Hour {
		a.woken = a.woken[1:]
	}
	if n := len(a.woken); n >= WakesAnHour {
		if least := a.woken[n-WakesAnHour].Add(time.Hour); a.due.Before(least) {
			a.due = least
		}
	}
}
