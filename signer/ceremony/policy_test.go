package ceremony

import (
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
)

// live makes a system with these releases published.
func (w *world) live(docs ...[]byte) *State {
	w.t.Helper()
	s := w.ready()
	for _, d := range docs {
		p := w.propose(s, d)
		s = w.state(w.sign(w.sign(p, ImageBuilder, "dora"), ImageRecomputed, "emil"))
	}
	return s
}

func (w *world) refused(s *State, doc []byte, why string) {
	w.t.Helper()
	_, err := AddRelease(s, ReleaseOptions{Document: doc, Now: w.now})
	if err == nil || !strings.Contains(err.Error(), why) {
		w.t.Errorf("expected a refusal that says %q, got %v", why, err)
	}
}

func TestConsentCannotBeSkippedBySkippingABuild(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41), w.release(42, collecting, asking))
	w.refused(s, w.release(43, collecting), "build 41")
	above := func(r *manifests.Release) { r.Compatible.MinBuild = 42 }
	if _, err := AddRelease(s, ReleaseOptions{Document: w.release(43, collecting, above), Now: w.now}); err != nil {
		t.Errorf("a release that installs over 42 alone: %v", err)
	}
	if _, err := AddRelease(s, ReleaseOptions{Document: w.release(43, collecting, asking), Now: w.now}); err != nil {
		t.Errorf("a release that asks everybody: %v", err)
	}
}

func TestSecurityFixCannotCollectMore(t *testing.T) {
	w := newWorld(t)
	security := func(r *manifests.Release) { r.Risk = manifests.RiskSecurity }
	w.refused(w.live(w.release(41)), w.release(42, collecting, asking, security), "security")
}

func TestWideningNeedsSentenceAndConsent(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41))
	w.refused(s, w.release(42, collecting), "privacy.change")
	silent := func(r *manifests.Release) { r.Privacy.Change = manifests.Text{"en": "New."} }
	w.refused(s, w.release(42, collecting, silent), "consent.required")
}

func TestBuildOnlyRises(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(43))
	w.refused(s, w.release(43), "published already")
	other := func(r *manifests.Release) { r.Compatible.Models = []manifests.Name{"mi4"} }
	w.refused(s, w.release(42, other), "does not rise above 43")
}

func TestEpochRisesByOneAtMost(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41))
	w.refused(s, w.release(42, func(r *manifests.Release) { r.SecurityEpoch = 3 }), "securityEpoch")
	w.refused(s, w.release(42, func(r *manifests.Release) { r.SecurityEpoch = 0 }), "securityEpoch")
}

func TestRollbackCarriesTheImageItNames(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41), w.release(42))
	back := func(contents string) func(*manifests.Release) {
		return func(r *manifests.Release) {
			r.Rollback = &manifests.Rollback{Contents: 41, From: []manifests.Build{42}}
			r.Images[0].SHA256 = manifests.SumSHA256([]byte(contents))
		}
	}
	w.refused(s, w.release(43, back("43")), "rollback.contents")
	if _, err := AddRelease(s, ReleaseOptions{Document: w.release(43, back("41")), Now: w.now}); err != nil {
		t.Error(err)
	}
}

func TestHandMadeProposalMeetsThePolicyToo(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41))
	p := w.propose(s, w.release(42, collecting, asking))
	// a colleague's tool that does not check: the same proposal with a silent release
	silent := w.release(42, collecting)
	next, err := s.nextReleases(phone, w.now, 0)
	w.must(err)
	target, err := next.Signed.Targets["releases/phone/41.json"].FromBytes("releases/phone/42.json", silent, "sha256")
	w.must(err)
	next.Signed.Targets["releases/phone/42.json"] = target
	text, err := signedText(next.Signed)
	w.must(err)
	p.Roles[0].Signed, p.Documents[0].Body = text, string(silent)
	data, err := p.Marshal()
	w.must(err)
	if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), "privacy.change") {
		t.Fatalf("got %v", err)
	}
}

func TestWithdrawnBuildIsGone(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41), w.release(42))
	p, err := Withdraw(s, phone, 42, w.now)
	w.must(err)
	s = w.state(w.sign(p, ImageNone, "dora", "emil"))
	left, err := s.Releases(phone)
	w.must(err)
	if len(left) != 1 || left[0].Build != 41 {
		t.Errorf("left: %v", left)
	}
	if _, err := Withdraw(s, phone, 42, w.now); err == nil {
		t.Error("withdrawn twice")
	}
}

func TestRenewalChangesNothingElse(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41))
	w.now = w.now.AddDate(0, 2, 0)
	p, err := RenewReleases(s, phone, w.now)
	w.must(err)
	w.state(w.sign(w.again(p), ImageNone, "dora", "emil"))
	for _, role := range []string{"root", "targets"} {
		p, err := RenewTop(s, role, w.now)
		w.must(err)
		w.state(w.sign(w.again(p), ImageNone, "carol", "alice"))
	}
	// a renewal that also drops a release
	p, err = RenewReleases(s, phone, w.now)
	w.must(err)
	next, err := s.nextReleases(phone, w.now, 0)
	w.must(err)
	clear(next.Signed.Targets)
	p.Roles[0].Signed, err = signedText(next.Signed)
	w.must(err)
	data, err := p.Marshal()
	w.must(err)
	if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), "changes more") {
		t.Fatalf("got %v", err)
	}
}
