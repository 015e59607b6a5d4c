package agent

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

func TestUpdateGoesAllTheWayToHealthy(t *testing.T) {
	w := newWorld(t)
	m, _ := w.offer(42)
	s := w.once()
	w.runs(42)
	if s.State != Idle || s.Build != 42 || s.Code != "" {
		t.Fatalf("status %+v", s)
	}
	installed, err := os.ReadFile(w.slots.Image("b", "system"))
	if err != nil || !bytes.Equal(installed, small().Plain) {
		t.Fatalf("slot b does not hold the image: %v", err)
	}
	described, err := w.slots.Metadata("b")
	if err != nil || len(described.Images) != 1 || described.Images[0].SHA256 != m.Images[0].SHA256 || described.SecurityEpoch != 2 || described.Version != m.Version {
		t.Fatalf("slot b is described as %+v, %v", described, err)
	}
	if got := w.agent.Downloaded(); got != fullBytes(m) {
		t.Fatalf("%d bytes downloaded, pack and index have %d", got, fullBytes(m))
	}
	w.code(w.once(), rollout.UpToDate)
}

func TestFailingBuildIsRolledBackAndNotTriedAgain(t *testing.T) {
	w := newWorld(t)
	_, r := w.offer(42)
	w.config.Health = [][]string{{"false"}}
	w.code(w.once(), rollout.BadTarget)
	w.runs(41)
	if w.state("b").Bootable {
		t.Fatal("the slot that failed may still boot")
	}
	asked := len(w.cdn.asked)
	r.Share, r.Reason = manifests.WholeFleet-1, "edited" // a changed rollout is no reason either
	w.start()
	w.code(w.once(), rollout.BadTarget)
	if len(w.cdn.asked) != asked {
		t.Fatal("the build that failed was fetched again")
	}
	w.offer(43)
	w.config.Health = [][]string{{"true"}}
	w.once()
	w.runs(43)
}

func TestOwnerMayRetryAFailedBuildByHand(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.config.Health = [][]string{{"false"}}
	w.once()
	for range 2 { // each word of the owner is one try
		if err := w.agent.Retry(42); err != nil {
			t.Fatal(err)
		}
		if s := w.once(); w.agent.mem.Failures["42"] < 2 {
			t.Fatalf("not tried again: %+v", s)
		}
		w.code(w.once(), rollout.BadTarget)
	}
	w.config.Health = [][]string{{"true"}}
	if err := w.agent.Retry(42); err != nil {
		t.Fatal(err)
	}
	w.once()
	w.runs(42)
}

func TestRolloutMayRetryAFailedBuildOnce(t *testing.T) {
	w := newWorld(t)
	_, r := w.offer(42)
	w.config.Health = [][]string{{"false"}}
	w.once()
	r.Retry = true
	w.once()
	if got := w.agent.mem.Failures["42"]; got != 2 {
		t.Fatalf("%d tries, want 2", got)
	}
	for range 3 {
		w.code(w.once(), rollout.BadTarget)
	}
	if got := w.agent.mem.Failures["42"]; got != 2 {
		t.Fatalf("a rollout made the handset try %d times", got)
	}
}

func TestBuildThatNeverReachesTheAgentIsRolledBackByTheLoader(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.step()
	var slot boot.Slot
	for range 4 { // it dies before the agent starts
		var err error
		if slot, err = w.slots.Boot(); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	if slot != "a" || w.agent.rec.State != RolledBack {
		t.Fatalf("slot %s boots, the agent is in %s", slot, w.agent.rec.State)
	}
	w.code(w.once(), rollout.BadTarget)
	w.runs(41)
	w.code(w.once(), rollout.BadTarget)
}

// TestTriesThatAreUsedUpBeforeTheJournalSaysThatItArmedCount: the power is cut
// between the two, and again in each try, before the agent writes anything.
func TestTriesThatAreUsedUpBeforeTheJournalSaysThatItArmedCount(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.step()
	if _, err := w.agent.enter(Arming); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := w.slots.Boot(); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	w.code(w.once(), rollout.BadTarget)
	w.runs(41)
	w.must(w.agent.Retry(42)) // by hand, its tries begin anew
	w.once()
	w.runs(42)
}

// armed takes a handset to where only the restart is left.
func armed(t *testing.T) (*world, *rollout.Rollout) {
	t.Helper()
	w := newWorld(t)
	_, r := w.offer(42)
	r.Window = &rollout.Window{From: 120, To: 300}
	w.device.that.LocalMinute = 600
	w.code(w.step(), rollout.BeforeWindow)
	if !w.state("b").Armed() {
		t.Fatal("slot b is not armed")
	}
	return w, r
}

func TestRestartWaitsForItsWindow(t *testing.T) {
	w, _ := armed(t)
	if w.agent.RestartWanted() {
		t.Fatal("the agent restarts outside of the window")
	}
	w.device.that.LocalMinute = 130
	w.once()
	w.runs(42)
}

// Polls are hours apart, and a window may be shorter.
func TestNextPollFallsIntoTheWindowThatTheRestartWaitsFor(t *testing.T) {
	w, _ := armed(t)
	if in, length := w.agent.WindowOpens(); in != 16*time.Hour || length != 3*time.Hour {
		t.Errorf("opens in %s for %s", in, length)
	}
	w.device.that.LocalMinute = 130
	w.once()
	w.runs(42)
	if in, length := w.agent.WindowOpens(); length != 0 {
		t.Errorf("nothing waits, and a window opens in %s", in)
	}
}

func TestHaltReachesArmedHandsets(t *testing.T) {
	for _, state := range []rollout.State{rollout.Halted, rollout.Held, rollout.Abandoned, rollout.Superseded} {
		t.Run(string(state), func(t *testing.T) {
			w, r := armed(t)
			r.State = state
			w.device.that.LocalMinute = 130
			s := w.step()
			if w.agent.RestartWanted() || w.state("b").Bootable || (s.Code != rollout.HaltedCode && s.Code != rollout.HeldCode) {
				t.Fatalf("slot b is %+v, status %+v", w.state("b"), s)
			}
			if slot := w.reboot(); slot != "a" {
				t.Fatalf("slot %s boots", slot)
			}
			w.once()
			w.runs(41)
			if len(w.agent.mem.Failures) != 0 {
				t.Fatal("a halt counts as a failure of the build")
			}
		})
	}
}

func TestWithdrawnAndExpiredReleasesAreDisarmed(t *testing.T) {
	t.Run("withdrawn", func(t *testing.T) {
		w, _ := armed(t)
		delete(w.tree.view.Releases, 42)
		w.code(w.step(), rollout.Withdrawn)
		if w.state("b").Bootable {
			t.Fatal("slot b is still armed")
		}
	})
	t.Run("signed anew", func(t *testing.T) {
		w, r := armed(t)
		signed := w.tree.view.Releases[42]
		signed.Reference.SHA256[0] ^= 1
		w.tree.view.Releases[42], r.Release = signed, signed.Reference
		w.code(w.step(), rollout.Withdrawn)
		if w.state("b").Bootable {
			t.Fatal("slot b is still armed")
		}
	})
	t.Run("expired", func(t *testing.T) {
		w, _ := armed(t)
		w.tree.view.Expiry = began.AddDate(0, 4, 0)
		w.code(w.step(), rollout.Expired)
		if w.state("b").Bootable {
			t.Fatal("slot b is still armed")
		}
	})
}

func TestHaltBeforeArmingIsNotArmed(t *testing.T) {
	w := newWorld(t)
	_, r := w.offer(42)
	w.slots.verb = func(name string) {
		if name == "arm" {
			t.Error("a halted build was armed")
		}
	}
	w.slots.sync = func() { r.State = rollout.Halted } // in the middle of the download
	w.code(w.step(), rollout.HaltedCode)
	if w.state("b").Bootable {
		t.Fatal("slot b may boot")
	}
	// What was written is not fetched again when the halt is lifted.
	w.slots.sync, w.slots.verb, r.State = nil, nil, rollout.Active
	asked := len(w.cdn.asked)
	w.once()
	w.runs(42)
	if again := w.cdn.asked[asked:]; len(again) != 0 {
		t.Fatalf("fetched again: %v", again)
	}
}

func TestConsentIsAskedFirst(t *testing.T) {
	w := newWorld(t)
	m, _ := w.offer(42)
	m.Consent.Required = true
	w.code(w.once(), rollout.NeedsConsent)
	if err := w.agent.Answer(42, rollout.Declined); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.code(w.once(), rollout.DeclinedCode)
	if len(w.cdn.asked) != 0 {
		t.Fatalf("fetched without consent: %v", w.cdn.asked)
	}
	if err := w.agent.Answer(42, rollout.Accepted); err != nil {
		t.Fatal(err)
	}
	w.once()
	w.runs(42)
}

// Skipping a build is no way around its notice: the label is compared with
// that of the build that runs.
func TestConsentIsAskedWhenTheLabelWidensOverTheRunningBuild(t *testing.T) {
	contacts := manifests.Collection{Data: "contacts", Purpose: manifests.Text{"en": "to find friends"}, Default: manifests.On, Stored: manifests.StoredRetained}
	w := newWorld(t)
	for _, build := range []manifests.Build{42, 43} {
		m, _ := w.offer(build)
		m.Privacy.Collects = []manifests.Collection{contacts}
		m.Consent.Required = build == 42 // 43 widens nothing over 42
	}
	if err := w.agent.Answer(42, rollout.Declined); err != nil {
		t.Fatal(err)
	}
	w.code(w.once(), rollout.NeedsConsent)
	w.runs(41)
	if err := w.agent.Answer(43, rollout.Accepted); err != nil {
		t.Fatal(err)
	}
	w.once()
	w.runs(43)
	m, _ := w.offer(44) // the same label as the one that runs now
	m.Privacy.Collects = []manifests.Collection{contacts}
	w.once()
	w.runs(44)
}

func TestEpochBelowTheFloorIsNeverInstalled(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.once()
	m, _ := w.offer(43)
	m.SecurityEpoch = 1
	w.start()
	w.code(w.once(), rollout.BelowFloor)
	w.runs(42)
}

func TestFloorRisesOnlyAfterTheSlotIsGood(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	var verbs []string
	w.slots.verb = func(name string) {
		verbs = append(verbs, name)
		if floor := w.agent.mem.Floor; floor != 1 {
			t.Errorf("before %s the floor is %d already", name, floor)
		}
	}
	w.once()
	if i := slices.Index(verbs, "good"); i < 0 || w.agent.mem.Floor != 2 {
		t.Fatalf("verbs %v, floor %d", verbs, w.agent.mem.Floor)
	}
	w.slots.verb = nil
	w = newWorld(t)
	w.offer(42)
	w.config.Health = [][]string{{"false"}}
	w.once()
	if w.agent.mem.Floor != 1 {
		t.Fatalf("a build that failed raised the floor to %d", w.agent.mem.Floor)
	}
}

func TestPaceOfADeadClockCountsPoweredOnTime(t *testing.T) {
	w := newWorld(t)
	m, r := w.offer(42)
	m.Pace = []manifests.PaceStep{{After: manifests.Duration{Duration: 10 * time.Hour}, MaxShare: manifests.WholeFleet}}
	w.device.now, w.device.up, w.tree.view.Pace = time.Time{}, 100*time.Hour, time.Time{}
	w.code(w.once(), rollout.Pace) // first seen: what was before does not count
	for range 3 {
		w.reboot()
		w.device.up = 3 * time.Hour // on, then off for days
		w.code(w.once(), rollout.Pace)
	}
	if on := w.agent.mem.PoweredOn["42"]; on != 9*3600 {
		t.Fatalf("powered on for %d s, want 3 times 3 h", on)
	}
	// A halt makes it count from the offer after it.
	r.State = rollout.Halted
	w.code(w.once(), rollout.HaltedCode)
	r.State = rollout.Active
	w.device.up += 2 * time.Hour
	w.code(w.once(), rollout.Pace)
	w.device.up += 9 * time.Hour
	w.code(w.once(), rollout.Pace)
	w.device.up += time.Hour
	w.once()
	w.runs(42)
}

func TestPaceCountsAnewAfterAHalt(t *testing.T) {
	w := newWorld(t)
	m, r := w.offer(42)
	m.Pace = []manifests.PaceStep{{After: manifests.Duration{Duration: 10 * time.Hour}, MaxShare: manifests.WholeFleet}}
	r.State = rollout.Halted
	at := func(d time.Duration) { w.tree.view.Expiry, w.tree.view.Pace = began.Add(d), began.Add(d) }
	at(9 * time.Hour)
	w.once()
	w.tree.view.Document.Rollouts = w.tree.view.Document.Rollouts[:0] // the tombstone is taken away
	at(30 * time.Hour)
	w.once()
	delete(w.tree.view.Releases, 42)
	m, _ = w.offer(42)
	m.Pace = []manifests.PaceStep{{After: manifests.Duration{Duration: 10 * time.Hour}, MaxShare: manifests.WholeFleet}}
	w.start()
	w.code(w.once(), rollout.Pace)
	at(39 * time.Hour)
	w.code(w.once(), rollout.Pace)
	at(40 * time.Hour)
	w.once()
	w.runs(42)
}
