package agent

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// stick is a bundle of build 42 with the small image.
type stick struct {
	tree  *published
	blobs *cdn
	looks int
	after func(looks int) // changes the bundle behind the handset's back
}

func (w *world) stick() *stick {
	s := &stick{blobs: &cdn{files: maps.Clone(small().Files)}, tree: &published{view: trust.View{
		Document: &rollout.Document{Product: phone}, Releases: map[manifests.Build]rollout.Signed{}, Expiry: began, Pace: began, SignedBy: []string{"dora", "emil"},
	}}}
	m, _ := s.tree.offer(42, small())
	m.Offline = true
	m.Pace = []manifests.PaceStep{{After: manifests.Duration{Duration: 1 << 55}, MaxShare: 1}} // no pace reaches it
	s.tree.view.Document.Rollouts = nil
	return s
}

func (s *stick) release() *manifests.Release { return s.tree.view.Releases[42].Release }

func (s *stick) offline() Offline {
	return Offline{Build: 42, Blobs: s.blobs, View: func(ctx context.Context) (*trust.View, error) {
		s.looks++
		if s.after != nil {
			s.after(s.looks)
		}
		return s.tree.Poll(ctx)
	}}
}

func (w *world) plug(s *stick) Status {
	w.Helper()
	status, err := w.agent.StepOffline(w.Context(), s.offline())
	if err != nil {
		w.Fatal(err)
	}
	return status
}

// install plugs a bundle in, restarts included.
func (w *world) install(s *stick) Status {
	w.Helper()
	for range 8 {
		status := w.plug(s)
		if !w.agent.RestartWanted() {
			return status
		}
		w.reboot()
	}
	w.Fatal("the handset restarts for ever")
	return Status{}
}

var errNoNetwork = errors.New("no network")

func TestBundleInstallsWithoutANetwork(t *testing.T) {
	w := newWorld(t)
	w.tree.err = errNoNetwork
	w.device.that.Metered = true // it costs nothing
	s := w.stick()
	p, err := w.agent.Look(t.Context(), s.offline())
	if err != nil || p.Decision.Offer == nil || p.Release.Build != 42 || p.Running != 41 {
		t.Fatalf("%+v, %v", p, err)
	}
	w.runs(41)
	w.install(s)
	w.runs(42)
	if len(w.cdn.asked) > 0 || len(s.blobs.asked) == 0 {
		t.Errorf("the network was asked for %v, the bundle for %v", w.cdn.asked, s.blobs.asked)
	}
}

func TestReceiptSaysThatTheOwnerChoseABundle(t *testing.T) {
	w := newWorld(t)
	w.install(w.stick())
	chain, err := receipts.Open(w.disk, w.receiptsPath(), w.device.Now).Read()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[receipts.Kind]bool{}
	for _, e := range chain.Entries {
		if e.Kind != receipts.Started && e.Kind != receipts.Installed {
			continue
		}
		kinds[e.Kind] = true
		if e.AskedBy != receipts.ByOwner || e.Rollout != "" || !strings.Contains(e.Why, "bundle that the owner chose") || len(e.SignedBy) != 2 || !strings.Contains(e.String(), "you chose it from a bundle") {
			t.Errorf("%+v\n%s", e, &e)
		}
	}
	if len(kinds) != 2 {
		t.Errorf("the receipt tells of %v", kinds)
	}
}

// AMENDMENTS M5: what this handset has seen halted comes back by no bundle.
func TestBuildSeenHaltedIsRefusedFromABundle(t *testing.T) {
	w := newWorld(t)
	_, r := w.offer(42)
	r.State = rollout.Halted
	w.step()
	w.start() // remembered
	s := w.stick()
	w.code(w.plug(s), rollout.HaltedCode)
	r.State = rollout.Scheduled
	w.step()
	w.code(w.plug(s), rollout.HaltedCode)
	w.runs(41)
	if w.state("b").Armed() {
		t.Fatal("it is armed")
	}
}

// In the place of the poll before arming, the bundle is verified once more.
func TestBundleIsVerifiedAgainBeforeArming(t *testing.T) {
	w := newWorld(t)
	s := w.stick()
	seen := 0
	s.after = func(looks int) {
		if seen = looks; looks > 1 && w.agent.rec.State == Staged {
			delete(s.tree.view.Releases, 42)
		}
	}
	w.code(w.plug(s), rollout.Withdrawn)
	if seen < 2 || w.state("b").Armed() {
		t.Fatalf("%d looks; armed: %v", seen, w.state("b").Armed())
	}
}

func TestHaltReachesWhatABundleArmed(t *testing.T) {
	w := newWorld(t)
	s := w.stick()
	w.plug(s)
	if !w.agent.RestartWanted() || !w.state("b").Armed() {
		t.Fatalf("not armed: %+v", w.agent.Status())
	}
	w.start() // a power cut before the restart; then the agent polls by itself
	_, r := w.offer(42)
	r.State = rollout.Halted
	w.code(w.step(), rollout.HaltedCode)
	if w.state("b").Armed() {
		t.Fatal("a halted build is still armed")
	}
	w.runs(41)
}

func TestWithdrawalReachesWhatABundleArmed(t *testing.T) {
	w := newWorld(t)
	w.plug(w.stick())
	w.start()
	w.offer(42)
	delete(w.tree.view.Releases, 42)
	w.code(w.step(), rollout.Withdrawn)
	if w.state("b").Armed() {
		t.Fatal("a withdrawn build is still armed")
	}
	w.runs(41)
}

// The hook before the restart is told of the update, bundle or not.
func TestHookRunsForWhatABundleArmed(t *testing.T) {
	w := newWorld(t)
	w.config.Hooks.PreReboot = [][]string{{"sh", "-c", "grep -q system && exit 75"}}
	w.plug(w.stick())
	w.start()
	w.tree.err = errNoNetwork
	w.code(w.step(), HookCode)
	w.config.Hooks.PreReboot = nil
	w.once()
	w.runs(42)
}

func TestOwnersWordOnABundleOutlivesAPowerCut(t *testing.T) {
	for name, network := range map[string]func(*world){
		"no network":   func(w *world) { w.tree.err = errNoNetwork },
		"no rollout":   func(*world) {},
		"not in share": func(w *world) { _, r := w.offer(42); r.Share = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.plug(w.stick())
			w.start()
			network(w)
			w.once()
			w.runs(42)
		})
	}
}

// Before the commit point a bundle that is gone leaves nothing armed.
func TestBundlePulledOutLeavesTheOldBuild(t *testing.T) {
	w := newWorld(t)
	s := w.stick()
	s.blobs.files = nil
	if _, err := w.agent.StepOffline(t.Context(), s.offline()); err == nil {
		t.Fatal("an empty bundle was installed")
	}
	w.code(w.step(), rollout.UpToDate)
	w.runs(41)
	w.install(w.stick())
	w.runs(42)
}

func TestUpdateOnItsWayIsNotDisturbedByABundle(t *testing.T) {
	w := newWorld(t)
	w.offer(43)
	w.step()
	if !w.agent.RestartWanted() {
		t.Fatal("build 43 is not armed")
	}
	if _, err := w.agent.Look(t.Context(), w.stick().offline()); err == nil || !strings.Contains(err.Error(), "build 43 is on its way") {
		t.Fatalf("its owner is shown it all the same: %v", err)
	}
	if _, err := w.agent.StepOffline(t.Context(), w.stick().offline()); err == nil || !strings.Contains(err.Error(), "build 43 is on its way") {
		t.Fatalf("got %v", err)
	}
	if !w.state("b").Armed() {
		t.Fatal("it was disarmed")
	}
}

func TestBundleTakesThePlaceOfWhatIsNotArmedYet(t *testing.T) {
	w := newWorld(t)
	w.reports.on = true
	w.offer(43)
	if s := w.step(); s.State != Staged {
		t.Fatalf("%+v", s)
	}
	w.reports.on = false
	w.install(w.stick())
	w.runs(42)
}

func TestBundlesAttemptIsReportedAndNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.reports.on = true // never acknowledged
	s := w.stick()
	s.tree.view.Document.Rollouts = []rollout.Rollout{{Build: 42, State: rollout.Active}}
	w.install(s)
	w.runs(42)
	got := strings.Join(w.reports.said, "; ")
	if !strings.HasPrefix(got, "attempt of 42") || !strings.Contains(got, "trial of 42: installed_healthy") || strings.Contains(got, "prepare") {
		t.Fatalf("it reported %s", got)
	}
}

func TestFailedBundleFallsBackAndIsRemembered(t *testing.T) {
	w := newWorld(t)
	w.config.Health = [][]string{{"false"}}
	s := w.stick()
	w.install(s)
	w.runs(41)
	w.config.Health = [][]string{{"true"}}
	w.code(w.plug(s), rollout.BadTarget)
	if err := w.agent.Retry(42); err != nil {
		t.Fatal(err)
	}
	w.install(s)
	w.runs(42)
}

func TestBundleNeedsTheOwnersConsent(t *testing.T) {
	w := newWorld(t)
	s := w.stick()
	s.release().Consent = manifests.Consent{Required: true, Notice: manifests.Text{"en": "May it?"}}
	w.code(w.plug(s), rollout.NeedsConsent)
	if err := w.agent.Answer(42, rollout.Accepted); err != nil {
		t.Fatal(err)
	}
	w.install(s)
	w.runs(42)
	chain, err := receipts.Open(w.disk, w.receiptsPath(), w.device.Now).Read()
	if err != nil {
		t.Fatal(err)
	}
	want, err := receipts.NoticeHash(s.release().Consent.Notice)
	if err != nil || chain.Entries[0].Kind != receipts.Accepted || chain.Entries[0].Consent.Notice != want {
		t.Fatalf("%+v, %v", chain.Entries[0], err)
	}
}
