package sim

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/votes"
)

// small is a fleet on which runs take milliseconds, with stages that reach
// verdicts.
func small(change func(*Scenario)) Scenario {
	s := Default(NewFleet(2_000, 7))
	s.Plan, s.OptIn = Stages(DefaultSoak, 500_000, manifests.WholeFleet), 0.8
	change(&s)
	return s
}

func play(t *testing.T, s *Scenario, first uint64, seeds, workers int) []Run {
	t.Helper()
	runs, err := Many(s, first, seeds, workers)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func encoded(t *testing.T, runs []Run) []byte {
	t.Helper()
	b, err := json.Marshal(runs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSameSeedGivesTheSameBytes(t *testing.T) {
	s := small(func(s *Scenario) {
		s.Truth.Fail, s.Truth.Brick = 0.02, 0.01
		s.Poison = Poison{Share: 0.1, Says: vote.InstalledHealthy}
	})
	once, again := encoded(t, play(t, &s, 1, 8, 2)), encoded(t, play(t, &s, 1, 8, 1))
	if !bytes.Equal(once, again) {
		t.Errorf("the same seeds give\n%s\nand\n%s", once, again)
	}
	other := small(func(o *Scenario) { o.Truth, o.Poison = s.Truth, s.Poison }) // a fleet made anew
	if !bytes.Equal(once, encoded(t, play(t, &other, 1, 8, 2))) {
		t.Error("the same fleet made anew behaves otherwise")
	}
}

// The engine is not asked while it cannot answer otherwise; asked at every tick
// it does the same.
func TestAskingTheEngineLessOftenChangesNothing(t *testing.T) {
	for _, change := range []func(*Scenario){
		func(*Scenario) {},
		func(s *Scenario) { s.Truth.Fail = 0.02 },
		func(s *Scenario) { s.Truth.Fail = 0.20 },
		func(s *Scenario) { s.Truth.Fail = 1 },
		func(s *Scenario) { s.Truth.Brick = 0.02 },
		func(s *Scenario) { s.Truth.Brick = 0.20 },
		func(s *Scenario) { s.Truth.Fail, s.Poison = 0.01, Poison{Share: 0.1, Says: vote.InstalledHealthy} },
		func(s *Scenario) { s.Plan.Stages[0].MinVotes = 790 },
	} {
		s := small(change)
		s.Fleet, s.Horizon = NewFleet(600, 7), 5*24*time.Hour
		seldom, often := NewWorld(s.Fleet.Size, s.Horizon), NewWorld(s.Fleet.Size, s.Horizon)
		often.eager = true
		for seed := range uint64(2) {
			a, err := seldom.Run(&s, s.Fleet.Order(firstBuild), seed)
			if err != nil {
				t.Fatal(err)
			}
			b, err := often.Run(&s, s.Fleet.Order(firstBuild), seed)
			if err != nil {
				t.Fatal(err)
			}
			if a.Sentence = b.Sentence; a != b {
				t.Errorf("asked seldom: %+v\nasked often: %+v", a, b)
			}
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	s := small(func(s *Scenario) { s.Truth.Fail = 0.05 })
	runs := play(t, &s, 1, 2*builds, 2)
	for i := range builds { // the same build, another seed
		a, b := runs[i], runs[i+builds]
		if a.Took == b.Took && a.Votes == b.Votes && a.Installed == b.Installed {
			t.Errorf("seeds %d and %d give the same run", a.Seed, b.Seed)
		}
	}
}

// Every handset that installed is accounted for.
func TestNoHandsetIsLostOrCountedTwice(t *testing.T) {
	for _, change := range []func(*Scenario){
		func(*Scenario) {},
		func(s *Scenario) { s.Truth.Fail = 0.10 },
		func(s *Scenario) { s.Truth.Brick = 0.05 },
		func(s *Scenario) { s.Poison = Poison{Share: 0.2, Says: vote.InstalledHealthy} },
		func(s *Scenario) { s.Poison = Poison{Share: 0.02, Says: vote.RolledBack} },
		func(s *Scenario) { s.Plan.Window = &policy.Window{From: 120, To: 300} },
	} {
		s := small(change)
		ends := map[End]int{}
		for _, r := range play(t, &s, 1, 4, 2) {
			ends[r.End]++
			if honest := r.Votes - r.Dishonest; r.OptedIn != honest+r.Waiting+r.Silent {
				t.Errorf("%d opted in and installed; %d voted, %d have yet to, %d never will: %+v", r.OptedIn, honest, r.Waiting, r.Silent, r)
			}
			if r.Attempts < r.OptedIn || r.Installed < r.OptedIn || r.Installed < r.Harmed() || r.Installed > int64(s.Fleet.Size) {
				t.Errorf("these numbers cannot be: %+v", r)
			}
			if s.Poison.Share == 0 && r.Dishonest != 0 {
				t.Errorf("%d votes of nobody: %+v", r.Dishonest, r)
			}
			within := int64(s.Fleet.Order(firstBuild + manifests.Build((r.Seed-1)%builds)).Within(s.Plan.Stages[r.Stage].Share))
			if r.Installed > within || r.End == Complete && r.Installed < within*99/100 {
				t.Errorf("%d installed, the share holds %d: %+v", r.Installed, within, r)
			}
		}
		t.Log(ends)
	}
}

func TestGoodBuildGoesAllTheWay(t *testing.T) {
	s := small(func(s *Scenario) { s.Truth.Noise = 0.001 })
	for _, r := range play(t, &s, 1, 12, 2) {
		if r.End != Complete || r.Took < 2*DefaultSoak {
			t.Errorf("%+v", r)
		}
	}
}

func TestBadBuildsAreHaltedByTheRuleThatSeesThem(t *testing.T) {
	for rule, change := range map[policy.Rule]func(*Scenario){
		policy.RuleFailures: func(s *Scenario) { s.Truth.Fail = 0.10 },
		policy.RuleSilence:  func(s *Scenario) { s.Truth.Brick = 0.05 },
	} {
		s := small(change)
		for _, r := range play(t, &s, 1, 12, 2) {
			if r.End != Halted || r.Rule != rule || r.Stage != 0 || r.Harmed() == 0 {
				t.Errorf("%s: %+v", rule, r)
			}
		}
	}
}

// The halted document reaches every handset before it arms.
func TestNobodyInstallsAfterTheHalt(t *testing.T) {
	s := small(func(s *Scenario) { s.Truth.Fail, s.Watch = 0.20, 48*time.Hour })
	for _, r := range play(t, &s, 1, 8, 2) {
		if r.End != Halted || r.Later != 0 || r.Installed >= int64(s.Fleet.Size)/2 {
			t.Errorf("%+v", r)
		}
	}
}

// An armed handset waits for a poll within the window; one that is switched off
// and on again has restarted.
func TestArmedHandsetsRestartInTheWindowOrWhenSwitchedOnAgain(t *testing.T) {
	installed := func(off float64) int64 {
		s := small(func(s *Scenario) {
			s.Plan.Window, s.Plan.Guard.ReportOnly = &policy.Window{From: 120, To: 300}, policy.Rules
			s.Off.Part, s.Horizon = off, 40*time.Hour
		})
		runs := play(t, &s, 1, 1, 1)
		within := int64(s.Fleet.Order(firstBuild).Within(s.Plan.Stages[0].Share))
		if n := runs[0].Installed; n == 0 || n > within {
			t.Errorf("%d of %d installed", n, within)
		}
		return within - runs[0].Installed
	}
	if left := installed(1); left != 0 {
		t.Errorf("%d handsets that are switched on every day have not restarted", left)
	}
	if left := installed(0); left != 0 {
		t.Errorf("%d handsets missed a window of 3 h in the first night, as polls every 6 h would", left)
	}
}

func TestPoisonKeepsItsShareOfTheVotes(t *testing.T) {
	s := small(func(s *Scenario) { s.Poison = Poison{Share: 0.25, Says: vote.InstalledHealthy} })
	var lies, all int64
	for _, r := range play(t, &s, 1, 8, 2) {
		lies, all = lies+r.Dishonest, all+r.Votes
	}
	if share := float64(lies) / float64(all); share < 0.24 || share > 0.26 {
		t.Errorf("%.3f of the votes lie, not 0.25", share)
	}
}

// Attempts, trials and hours as the service itself counts them.
func TestBallotsAreCountedAsTheServiceCountsThem(t *testing.T) {
	b := newBallots(votes.DefaultGrace)
	at := func(hours float64) time.Time { return epoch.Add(time.Duration(hours * float64(time.Hour))) }
	b.attempt(at(0.5))
	b.attempt(at(0.9))
	b.attempt(at(1.0))
	b.trial(vote.None)
	for _, c := range []struct {
		hours       float64
		due, silent int64
	}{{24.99, 0, 0}, {25, 2, 1}, {25.99, 2, 1}, {26, 3, 2}} {
		b.advance(at(c.hours))
		if b.counts.Due != c.due || b.counts.Silent != c.silent {
			t.Errorf("after %.2f h: due %d, silent %d, want %d and %d", c.hours, b.counts.Due, b.counts.Silent, c.due, c.silent)
		}
	}
	b.trial(vote.BootLoop)
	if c := b.counts; c.Silent != 1 || c.Trials != 2 || c.RolledBack != 1 || c.Healthy != 1 || c.Reasons[vote.BootLoop] != 1 {
		t.Errorf("%+v", c)
	}
}

func TestTokensAreAskedForOnceByEverybody(t *testing.T) {
	s := small(func(*Scenario) {})
	v := service{s: &s, issue: 3200}
	if v.issued(0) != 0 || v.issued(48*time.Hour) != 3200 {
		t.Errorf("%d at first, %d in the end", v.issued(0), v.issued(48*time.Hour))
	}
	// Half the waits are over at the middle of two even ones.
	if n := v.issued((s.Poll.Every.Duration + s.Poll.Jitter.Duration/2 + s.Report.TokenWithin.Duration) / 2); n < 1590 || n > 1610 {
		t.Errorf("%d in the middle", n)
	}
	for h := range 20 {
		if a, b := v.issued(time.Duration(h)*time.Hour), v.issued(time.Duration(h+1)*time.Hour); b < a {
			t.Errorf("%d after %d h, then %d", a, h, b)
		}
	}
}
