package sim

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

func TestNobodyIsEligibleAtShareZero(t *testing.T) {
	f := NewFleet(20_000, 3)
	if first, ever := Eligible(f, 42, 0, 3, PollEvery(6*time.Hour)); first != 0 || ever != 0 {
		t.Errorf("%d and %d handsets are eligible", first, ever)
	}
	if n := f.Order(42).Within(0); n != 0 {
		t.Errorf("%d handsets lie below share 0", n)
	}
	if first, _ := Eligible(f, 42, manifests.WholeFleet, 1, PollEvery(6*time.Hour)); first != f.Size {
		t.Errorf("%d of %d are eligible at the whole fleet", first, f.Size)
	}
}

func TestATenthStaysATenth(t *testing.T) {
	f := NewFleet(20_000, 3)
	first, ever := Eligible(f, 42, 100_000, 14, PollEvery(6*time.Hour))
	if first != ever || math.Abs(float64(first)-2_000) > 4*math.Sqrt(20_000*0.1*0.9) {
		t.Errorf("%d are eligible at first, %d in 14 polls", first, ever)
	}
	if n := f.Order(42).Within(100_000); n != first {
		t.Errorf("Decide offers to %d, the order holds %d", first, n)
	}
	edge := policy.Position(f.Secret(0), Product, 42) // a share that ends just before a handset
	if first, _ := Eligible(f, 42, edge, 1, PollEvery(6*time.Hour)); first != f.Order(42).Within(edge) {
		t.Errorf("Decide offers to %d, the order holds %d", first, f.Order(42).Within(edge))
	}
	both, of := Overlap(f, 42, 43, 100_000)
	if part := float64(both) / float64(of); math.Abs(part-0.1) > 4*math.Sqrt(0.09/float64(of)) {
		t.Errorf("%.3f of the first tenth come first again", part)
	}
	if both, of := Overlap(f, 42, 42, 100_000); both != of {
		t.Errorf("a release overlaps with itself by %d of %d", both, of)
	}
}

func TestOrderIsThatOfThePositions(t *testing.T) {
	f := NewFleet(1_000, 3)
	o := f.Order(42)
	seen, last := map[int]bool{}, manifests.SharePPM(0)
	for rank := range f.Size {
		h := o.Handset(rank)
		p := policy.Position(f.Secret(h), Product, 42)
		if p < last || seen[h] {
			t.Fatalf("rank %d: handset %d lies at %d, the one before at %d", rank, h, p, last)
		}
		seen[h], last = true, p
		if n := o.Within(p + 1); n <= rank {
			t.Fatalf("%d handsets lie below %d, rank %d among them", n, p+1, rank)
		}
	}
	if NewFleet(10, 4).Secret(0) == f.Secret(0) || f.Secret(0) == f.Secret(1) {
		t.Error("two handsets have one secret")
	}
}

// The model's handsets poll and report by the client's own defaults.
func TestHandsetsHaveTheClientsDefaults(t *testing.T) {
	name := filepath.Join(t.TempDir(), "client.yaml")
	if err := os.WriteFile(name, []byte("product: phone\nmodel: m-1\nservers: [http://127.0.0.1]\nstate: s\nslots: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := agent.LoadConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	s := Default(NewFleet(1, 1))
	if s.Poll != c.Poll {
		t.Errorf("polls %+v, the client %+v", s.Poll, c.Poll)
	}
	if c.Report.AttemptWait = (manifests.Duration{}); s.Report != c.Report { // every report arrives at once
		t.Errorf("reports %+v, the client %+v", s.Report, c.Report)
	}
}

// A handset that has polled for long meets a new stage at any moment of its
// wait: half of the wait on average, and a little more since longer waits are
// met more often.
func TestPhaseIsThatOfAFleetThatPolls(t *testing.T) {
	poll, random, sum := agent.Poll{Every: manifests.Duration{Duration: time.Hour}, Jitter: manifests.Duration{Duration: time.Hour}}, rand.New(rand.NewPCG(1, 2)), 0.0
	const n = 200_000
	for range n {
		sum += phase(poll, random).Hours()
	}
	// E[L²]/2E[L] of waits that lie evenly between 1 and 2 hours: 7/9 h.
	if mean := sum / n; math.Abs(mean-7.0/9) > 0.005 {
		t.Errorf("the next poll is %.3f h away on average, not %.3f", mean, 7.0/9)
	}
}

func TestFewAndManyAreHitAtTheirRate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int64{1_000, 1_000_000} {
		sum := int64(0)
		for range 4_000 {
			sum += some(n, 0.003, random)
		}
		if mean := float64(sum) / 4_000; math.Abs(mean/(0.003*float64(n))-1) > 0.04 {
			t.Errorf("%.2f of %d are hit", mean, n)
		}
	}
}

func TestSwitchedOffHandsetsWakeUpLater(t *testing.T) {
	const h = time.Hour
	for _, c := range []struct{ at, off, hours, want time.Duration }{
		{10 * h, never, 8 * h, 10 * h},
		{10 * h, 11 * h, 8 * h, 10 * h},
		{10 * h, 10 * h, 8 * h, 18 * h},
		{17*h + 59*time.Minute, 10 * h, 8 * h, 18 * h},
		{18 * h, 10 * h, 8 * h, 18 * h},
		{25 * h, 20 * h, 8 * h, 28 * h}, // past midnight
	} {
		if got := awake(c.at, c.off, c.hours); got != c.want {
			t.Errorf("at %s, off from %s for %s: %s, want %s", c.at, c.off, c.hours, got, c.want)
		}
	}
}

func TestCalendarGivesEachHandsetItsTurnOnce(t *testing.T) {
	c := newCalendar(10, 5)
	for rank, tick := range []int{3, 9, 3, 10, 0} { // tick 10 lies past the end
		c.put(tick, rank)
	}
	turns := map[int]int{}
	for tick := range 10 {
		for rank, ok := c.take(tick); ok; rank, ok = c.take(tick) {
			turns[rank] = tick
		}
	}
	if len(turns) != 4 || turns[0] != 3 || turns[1] != 9 || turns[2] != 3 || turns[4] != 0 || c.held != 0 {
		t.Errorf("turns %v, %d held", turns, c.held)
	}
	c.put(5, 1)
	c.clear()
	if _, ok := c.take(5); ok || c.held != 0 {
		t.Error("a cleared calendar holds a turn")
	}
}

func TestPollsDoNotPileUpAfterAnOutage(t *testing.T) {
	s := Default(NewFleet(1, 1))
	o := Outage{Handsets: 100_000, Poll: s.Poll, Report: s.Report, For: 6 * time.Hour, Lead: 4 * time.Hour, Seed: 1}
	if steady, _ := o.Peak(); math.Abs(steady*378/10/100_000-1) > 0.02 { // 378 minutes from poll to poll
		t.Errorf("%.0f polls in ten minutes, want about %d", steady, 100_000*10/378)
	}
	o.Off = s.Off
	steady, quiet := o.Peak()
	if quiet > 1.1*steady {
		t.Errorf("without reports %.0f polls follow an outage, %.0f are steady", quiet, steady)
	}
	o.Opened, o.OptIn = 0.75, 0.2
	if steady, peak := o.Peak(); peak > 2*steady || peak <= quiet {
		t.Errorf("with reports %.0f polls follow an outage, %.0f are steady, %.0f without", peak, steady, quiet)
	}
}

func TestTokensThatStopOrHide(t *testing.T) {
	for failures, want := range map[int64]int64{4: 12, 5: 58} {
		if n, ok := Stops(failures, 20_000); !ok || n != want {
			t.Errorf("%d failures halt among %d votes (%v), want %d", failures, n, ok, want)
		}
	}
	if n, ok := Stops(3, 20_000); ok {
		t.Errorf("3 failures halt among %d votes", n)
	}
	few, many := Hides(0.05, 20_000, 200, 0.5), Hides(0.20, 20_000, 200, 0.5)
	if few <= 0 || many <= few {
		t.Errorf("%d lies hide 5 %%, %d hide 20 %%", few, many)
	}
	if Hides(0.001, 20_000, 200, 0.5) != 0 {
		t.Error("a good build needs lies to be hidden")
	}
	if a, b := Stopped(0.005, 0, 20_000, 500), Stopped(0.005, 0.05, 20_000, 500); a > 0.005 || b < 0.5 {
		t.Errorf("a good build is stopped with a chance of %g, with 5 %% lies of %g", a, b)
	}
}
