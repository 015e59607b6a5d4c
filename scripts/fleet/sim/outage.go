package sim

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/candor-ota/candor/client/agent"
)

// Outage is a service that is down for some hours, at a bad moment: a stage has
// just been opened, so that many handsets have reports to send.
type Outage struct {
	Handsets int
	Poll     agent.Poll
	Report   agent.Report
	Off      Off
	Opened   float64       // part of the handsets to which the stage is open
	OptIn    float64       // part of their owners who let outcomes be reported
	Lead     time.Duration // from the opening to the outage
	For      time.Duration
	Seed     uint64
}

const (
	bucket    = 10 * time.Minute // over which polls are added up
	calm      = 6 * time.Hour    // before the stage is opened
	aftermath = 24 * time.Hour   // that is looked at
)

// Peak gives the polls per ten minutes before the stage is opened, on average,
// and the most after the outage. A poll that fails is followed by the next as
// if it had not. A handset with a report to send wakes, and polls, for that
// too; if it cannot be sent, again after a random part of a wait that doubles
// from 1 minute up to 6 hours (client/outbox).
func (o *Outage) Peak() (steady, peak float64) {
	down := calm + o.Lead
	buckets := make([]int, (down+o.For+aftermath)/bucket)
	var lock sync.Mutex
	var halves sync.WaitGroup
	for half := range 2 {
		halves.Go(func() {
			mine, random := make([]int, len(buckets)), rand.New(rand.NewPCG(o.Seed, uint64(half)))
			for range o.Handsets / 2 {
				o.handset(mine, random)
			}
			lock.Lock()
			defer lock.Unlock()
			for i, n := range mine {
				buckets[i] += n
			}
		})
	}
	halves.Wait()
	for i, n := range buckets {
		switch at := time.Duration(i) * bucket; {
		case at < calm:
			steady += float64(n) * float64(bucket) / float64(calm)
		case at >= down+o.For:
			peak = max(peak, float64(n))
		}
	}
	return steady, peak
}

const never = time.Duration(-1)

// handset adds the polls of one handset.
func (o *Outage) handset(buckets []int, random *rand.Rand) {
	off := never
	if random.Float64() < o.Off.Part {
		off = time.Duration(random.Int64N(int64(24 * time.Hour)))
	}
	reports := random.Float64() < o.OptIn
	waiting := random.Float64() < o.Opened // for the offer
	attempted, due, failures := false, never, 0
	for at := awake(phase(o.Poll, random), off, o.Off.For); int(at/bucket) < len(buckets); {
		buckets[at/bucket]++
		switch up := at < calm+o.Lead || at >= calm+o.Lead+o.For; {
		case due >= 0 && at >= due && !up:
			due = at + retry(failures, random)
			failures++
		case due >= 0 && at >= due && attempted:
			due = never
		case due >= 0 && at >= due: // it restarts now
			attempted, due = true, at+time.Duration(random.Int64N(int64(o.Report.OutcomeWithin.Duration)+1))
		case waiting && up && at >= calm:
			waiting = false
			if reports {
				due = at + time.Duration(random.Int64N(int64(o.Report.AttemptWithin.Duration)+1))
			}
		}
		next := at + o.Poll.Next(random.Int64N)
		if due >= 0 {
			next = min(next, max(due, at+time.Second))
		}
		at = awake(next, off, o.Off.For)
	}
}

// awake is when a handset that is switched off at some hour of each day does
// what is due. It does so as it is switched on.
func awake(at, off, hours time.Duration) time.Duration {
	if off == never {
		return at
	}
	if since := (at - off + day) % day; since < hours {
		return at + hours - since
	}
	return at
}

// retry is the wait of client/outbox after so many failures.
func retry(failures int, random *rand.Rand) time.Duration {
	bound := min(time.Minute<<min(failures, 16), 6*time.Hour)
	return bound/10 + time.Duration(random.Int64N(int64(bound-bound/10)))
}
