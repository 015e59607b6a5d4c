package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/hooks"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// decided is what policy says at this moment: by what is published, not by what
// the agent has read of it.
func (w *world) decided(t *rapid.T, landed bool) (rollout.Decision, rollout.Input) {
	h, err := w.agent.handset()
	if err != nil {
		t.Fatal(err)
	}
	h.Conditions.MinBattery = w.config.AbortBattery
	if landed {
		h.Conditions.MinBattery, h.Conditions.Metered = 30, false
	}
	v := w.tree.view
	in := rollout.Input{Document: v.Document, Releases: v.Releases, Handset: h, Times: rollout.Times{Expiry: v.Expiry, Pace: v.Pace}}
	return rollout.Decide(in), in
}

// story is a handset to which anything may happen.
type story struct {
	*world
	hook  *program
	clock time.Duration
}

func newStory(t *testing.T, dir string) *story {
	w := newWorld(t)
	s := &story{world: w}
	s.hook = &program{w, dir}
	s.hook.ends(0, "")
	w.config.Hooks.PreInstall, w.config.Hooks.PostInstall, w.config.Hooks.PreReboot = s.hook.command(), s.hook.command(), s.hook.command()
	w.config.Poll.Every.Duration, w.config.AbortBattery = time.Hour, 15
	for build := manifests.Build(42); build <= 43; build++ {
		m, r := w.offer(build)
		m.Consent.Required = build == 43
		m.Pace = []manifests.PaceStep{{MaxShare: manifests.WholeFleet / 2}, {After: manifests.Duration{Duration: 24 * time.Hour}, MaxShare: manifests.WholeFleet}}
		m.Urgency.MaxKind = manifests.KindCritical
		r.Deferral.Duration = 24 * time.Hour
	}
	return s
}

// one is something that happens.
func (s *story) one(t *rapid.T) {
	c, rollouts := &s.device.that, s.tree.view.Document.Rollouts
	r := &rollouts[rapid.IntRange(0, len(rollouts)-1).Draw(t, "rollout")]
	build := manifests.Build(rapid.IntRange(42, 43).Draw(t, "build"))
	var err error
	switch what := rapid.IntRange(0, 13).Draw(t, "what"); what {
	case 0:
		err = s.agent.Answer(build, rapid.SampledFrom([]rollout.Answer{rollout.Accepted, rollout.Declined}).Draw(t, "answer"))
	case 1:
		err = s.agent.Postpone(time.Duration(rapid.IntRange(0, 30).Draw(t, "hours")) * time.Hour)
	case 2:
		err = s.agent.GetItNow(rapid.Bool().Draw(t, "past pace"), rapid.Bool().Draw(t, "pay"))
	case 3:
		err = s.agent.Retry(build)
	case 4:
		c.BatteryPercent, c.Charging = rapid.IntRange(0, 100).Draw(t, "battery"), rapid.Bool().Draw(t, "charger")
	case 5:
		c.Metered = !c.Metered
	case 6:
		c.LocalMinute = rollout.ClockTime(rapid.IntRange(0, 1439).Draw(t, "minute"))
	case 7:
		r.State = rapid.SampledFrom([]rollout.State{rollout.Active, rollout.Active, rollout.Held, rollout.Halted}).Draw(t, "state")
	case 8:
		r.Share = rapid.SampledFrom([]manifests.SharePPM{0, manifests.WholeFleet}).Draw(t, "share")
	case 9:
		r.Kind = rapid.SampledFrom([]manifests.Kind{manifests.KindNormal, manifests.KindOptional, manifests.KindCritical}).Draw(t, "kind")
	case 10:
		r.Window = rapid.SampledFrom([]*rollout.Window{nil, {From: 120, To: 300}}).Draw(t, "window")
	case 11:
		s.clock += time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour
		s.device.now, s.tree.view.Expiry, s.tree.view.Pace = began.Add(s.clock), began.Add(s.clock), began.Add(s.clock)
		s.device.up += time.Hour
	case 12:
		s.hook.ends(rapid.SampledFrom([]int{0, 0, 1, hooks.NotNowStatus}).Draw(t, "hook"), "")
	case 13:
		s.reports.acknowledged = !s.reports.acknowledged
	}
	if err != nil {
		t.Fatal(err)
	}
}

// polls takes a step, and restarts as it wants.
func (s *story) polls(t *rapid.T) {
	for range 4 {
		if _, err := s.agent.Step(s.Context()); err != nil {
			return // a hook that fails the installation
		}
		if !s.agent.RestartWanted() {
			return
		}
		if s.agent.rec.State == RebootPending {
			d, in := s.decided(t, true)
			if d.Offer == nil || d.Offer.Release.Build != s.agent.rec.Build {
				t.Fatalf("restarts into build %d, decided is %+v", s.agent.rec.Build, d.Hold)
			}
			if h := rollout.CheckRestart(in.Handset, d.Offer, in.Times); h != nil {
				t.Fatalf("restarts, and policy says %q", h.Sentence)
			}
		}
		s.reboot()
	}
}

// No sequence of what owners ask for, of conditions, hooks and rollouts lets a
// slot be written, armed or booted into that policy holds at that moment.
func TestNothingInstallsThatPolicyHolds(t *testing.T) {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		t.Setenv("TMPDIR", "/dev/shm") // no power is cut here
	}
	dir := t.TempDir()
	installed := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, filepath.Clean(dir))
		s.reports.on = rapid.Bool().Draw(rt, "reports")
		s.slots.verb = func(verb string) {
			if verb != "unbootable" && verb != "arm" {
				return
			}
			d, _ := s.decided(rt, verb == "arm")
			if d.Offer == nil || d.Offer.Release.Build != s.agent.rec.Build {
				rt.Fatalf("%s for build %d, decided is %+v", verb, s.agent.rec.Build, d.Hold)
			}
		}
		for range rapid.IntRange(3, 14).Draw(rt, "length") {
			for range rapid.IntRange(1, 3).Draw(rt, "at once") {
				s.one(rt)
			}
			s.polls(rt)
		}
		slot, err := s.slots.Booted()
		if err != nil {
			rt.Fatal(err)
		}
		if slot == boot.Slot("b") {
			installed++
		}
		if len(s.agent.mem.Failures) != 0 {
			rt.Fatalf("failures %v, and no build is bad", s.agent.mem.Failures)
		}
	})
	if installed < 5 {
		t.Fatalf("only %d stories end in a new build", installed)
	}
}
