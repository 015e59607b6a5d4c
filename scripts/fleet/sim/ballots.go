package sim

import (
	"time"

	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// ballots counts votes as the service does (server/votes: attempts are due
// once the whole hour in which they were cast is older than the grace time,
// and silent are those that no trial can stand for).
type ballots struct {
	grace  time.Duration
	counts verdict.Counts
	hours  []hour // whose attempts are not due yet, the oldest first
	now    store.Hour
}

type hour struct {
	hour     store.Hour
	attempts int64
}

func newBallots(grace time.Duration) ballots {
	return ballots{grace: grace, counts: verdict.Counts{Reasons: map[vote.Reason]int64{}}}
}

func (b *ballots) attempt(now time.Time) {
	at := store.HourOf(now)
	if n := len(b.hours); n == 0 || b.hours[n-1].hour != at {
		b.hours = append(b.hours, hour{hour: at})
	}
	b.hours[len(b.hours)-1].attempts++
	b.counts.Attempts++
}

func (b *ballots) trial(failed vote.Reason) {
	b.counts.Trials++
	if failed == vote.None {
		b.counts.Healthy++
	} else {
		b.counts.RolledBack++
		b.counts.Reasons[failed]++
	}
	b.counts.Silent = max(0, b.counts.Due-b.counts.Trials)
}

// advance moves time on, and tells whether an hour has passed.
func (b *ballots) advance(now time.Time) bool {
	due := store.HourOf(now.Add(-b.grace))
	for len(b.hours) > 0 && b.hours[0].hour < due {
		b.counts.Due += b.hours[0].attempts
		b.hours = b.hours[1:]
	}
	b.counts.Silent = max(0, b.counts.Due-b.counts.Trials)
	passed := due != b.now
	b.now = due
	return passed
}
