package watch_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/client/watch"
)

var start = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// last is the chance by which every wait is the longest.
func last(n int64) int64 { return n - 1 }

func due(t *testing.T, a *watch.Alarm, now time.Time, want time.Duration) {
	t.Helper()
	if in, ok := a.In(now); !ok || in != want {
		t.Fatalf("due in %s (%v), want %s", in, ok, want)
	}
}

func quiet(t *testing.T, a *watch.Alarm, now time.Time) {
	t.Helper()
	if in, ok := a.In(now); ok {
		t.Fatalf("due in %s", in)
	}
}

func TestAWakeUpIsFollowedByOnePollWithinTheSpread(t *testing.T) {
	a := &watch.Alarm{Random: last}
	quiet(t, a, start)
	a.Hear(7, 7, time.Hour, start) // known already
	quiet(t, a, start)
	a.Hear(8, 7, 30*time.Minute, start)
	due(t, a, start, 30*time.Minute)
	a.Hear(9, 7, 30*time.Minute, start.Add(10*time.Minute)) // one poll serves both
	due(t, a, start.Add(10*time.Minute), 20*time.Minute)
	a.Polled(9, true, start.Add(30*time.Minute))
	quiet(t, a, start.Add(30*time.Minute))
}

func TestAnOrdinaryPollThatSeesTheNewsServesTheWakeUp(t *testing.T) {
	a := &watch.Alarm{Random: last}
	a.Hear(8, 7, 30*time.Minute, start)
	a.Polled(7, true, start.Add(time.Minute)) // does not
	due(t, a, start.Add(time.Minute), 29*time.Minute)
	a.Polled(8, true, start.Add(2*time.Minute))
	quiet(t, a, start.Add(2*time.Minute))
}

// A cache may give what was before for a minute.
func TestAStaleAnswerIsAskedForOnceMore(t *testing.T) {
	a := &watch.Alarm{Random: last}
	a.Hear(8, 7, 0, start)
	due(t, a, start, 0)
	a.Polled(7, true, start)
	due(t, a, start, 2*time.Minute)
	a.Polled(7, true, start.Add(2*time.Minute))
	quiet(t, a, start.Add(2*time.Minute))
	a.Hear(8, 7, 0, start.Add(5*time.Minute)) // a new stream says it again
	a.Polled(7, false, start.Add(5*time.Minute))
	quiet(t, a, start.Add(5*time.Minute)) // failures have waits of their own
}

// Whatever a server says, and whenever: a handset polls for it at most
// WakesAnHour times an hour, never within LeastGap of the poll before, and
// never before it was woken.
func TestNoServerDrivesAHandsetIntoAPollStorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		a := &watch.Alarm{Random: rand.New(rand.NewPCG(seed, 1)).Int64N}
		now, known, heard := start, uint64(1), false
		var polls []time.Time
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "passes")))
			if rapid.IntRange(0, 3).Draw(t, "hears") > 0 {
				said := rapid.SampledFrom([]uint64{0, known, known + 1, math.MaxUint64}).Draw(t, "said")
				a.Hear(said, known, time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "spread")), now)
				heard = heard || said > known
			}
			in, ok := a.In(now)
			if !ok || in > 0 {
				continue
			}
			if !heard {
				t.Fatal("polls without a wake-up")
			}
			if n := len(polls); n > 0 && now.Sub(polls[n-1]) < watch.LeastGap {
				t.Fatalf("polls after %s", now.Sub(polls[n-1]))
			}
			polls = append(polls, now)
			if n := len(polls); n > watch.WakesAnHour && now.Sub(polls[n-1-watch.WakesAnHour]) < time.Hour {
				t.Fatalf("%d polls within %s", watch.WakesAnHour+1, now.Sub(polls[n-1-watch.WakesAnHour]))
			}
			if rapid.Bool().Draw(t, "moved") {
				known++
			}
			a.Polled(known, rapid.Bool().Draw(t, "succeeded"), now)
		}
	})
}

// Ten thousand handsets that are woken at once come evenly within the spread:
// no second sees more than half as much again as the mean.
func TestPollsAfterAWakeUpAreFlat(t *testing.T) {
	const handsets, spread = 10_000, 100 * time.Second
	seconds := make([]int, spread/time.Second+1)
	random := rand.New(rand.NewPCG(1, 2))
	for range handsets {
		a := &watch.Alarm{Random: random.Int64N}
		a.Polled(1, true, start.Add(-time.Hour))
		a.Hear(2, 1, spread, start)
		in, ok := a.In(start)
		if !ok {
			t.Fatal("not woken")
		}
		seconds[in/time.Second]++
	}
	mean := handsets / int(spread/time.Second)
	if peak := slices.Max(seconds); peak > mean*3/2 {
		t.Errorf("%d polls in one second, %d on average", peak, mean)
	}
	if least := slices.Min(seconds[:len(seconds)-1]); least < mean/2 {
		t.Errorf("%d polls in one second, %d on average", least, mean)
	}
}
