package ceremony

import (
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// voting gives a release vote keys.
func voting(t *testing.T) func(*manifests.Release) {
	return func(r *manifests.Release) {
		primary, spare, err := vote.Master{1}.Rules(vote.Ref{Product: r.Product, Build: r.Build})
		if err != nil {
			t.Fatal(err)
		}
		r.Votes.Primary, r.Votes.Spare = &primary, &spare
	}
}

// switched are the builds that a state has under their spare keys.
func switched(s *State) []manifests.Build { return keptSpare(&s.releases[phone].Signed) }

func TestVotesMoveToSpareKeysBySignatureAndForGood(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41, voting(t)), w.release(42, voting(t)), w.release(43))
	p, err := SpareVotes(s, phone, 42, w.now)
	w.must(err)
	if said := strings.Join(p.Describe(w.now), "\n"); !strings.Contains(said, "SPARE VOTE KEYS: votes on phone build 42") || !strings.Contains(said, "spare keys: builds [42]") {
		t.Errorf("it says %s", said)
	}
	w.again(p)
	if _, err := p.Submission(); err == nil {
		t.Error("it holds without signatures")
	}
	s = w.state(w.sign(p, ImageNone, "dora", "emil"))
	p, err = SpareVotes(s, phone, 41, w.now)
	w.must(err)
	s = w.state(w.sign(p, ImageNone, "dora", "emil"))
	if got := switched(s); len(got) != 2 || got[0] != 41 || got[1] != 42 {
		t.Fatalf("moved are %v", got)
	}
	for name, c := range map[string]struct {
		build manifests.Build
		why   string
	}{"twice": {42, "already"}, "no votes": {43, "takes no votes"}, "no such build": {9, "not published"}} {
		_, err := SpareVotes(s, phone, c.build, w.now)
		expectRefusal(t, name, err, c.why)
	}

	// Whatever is signed next keeps it, as long as the build is signed.
	renewed, err := RenewReleases(s, phone, w.now)
	w.must(err)
	if got := switched(w.state(w.sign(renewed, ImageNone, "dora", "emil"))); len(got) != 2 {
		t.Errorf("a renewal leaves %v", got)
	}
	next := w.propose(s, w.release(44))
	if got := switched(w.state(w.sign(w.sign(next, ImageBuilder, "dora"), ImageRecomputed, "emil"))); len(got) != 2 {
		t.Errorf("a release leaves %v", got)
	}
	gone, err := Withdraw(s, phone, 42, w.now)
	w.must(err)
	if got := switched(w.state(w.sign(gone, ImageNone, "dora", "emil"))); len(got) != 1 || got[0] != 41 {
		t.Errorf("a withdrawal leaves %v", got)
	}
	none, err := RetireProduct(s, phone, w.now)
	w.must(err)
	if got := switched(w.state(w.sign(none, ImageNone, "dora", "emil"))); len(got) != 0 {
		t.Errorf("the end of a product leaves %v", got)
	}
}

// TestProposalMovesNoOtherVotesThanItSays edits what is to be signed; only its
// own kind may move votes, those of its own build, and none back.
func TestProposalMovesNoOtherVotesThanItSays(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41, voting(t)), w.release(42, voting(t)))
	moved, err := SpareVotes(s, phone, 41, w.now)
	w.must(err)
	s = w.state(w.sign(moved, ImageNone, "dora", "emil"))
	list := func(builds ...manifests.Build) func(*metadata.TargetsType) {
		return func(m *metadata.TargetsType) {
			m.UnrecognizedFields = layout.WithSpareVotes(m.UnrecognizedFields, builds)
		}
	}
	for name, c := range map[string]struct {
		kind  Kind
		build manifests.Build
		edit  func(*metadata.TargetsType)
		why   string
	}{
		"a renewal that moves votes":      {KindRenew, 0, list(41, 42), "changes more"},
		"a renewal that moves votes back": {KindRenew, 0, list(), "changes more"},
		"another build":                   {KindSpare, 42, list(41), "changes more"},
		"one more":                        {KindSpare, 42, list(41, 42, 43), "not among the signed"},
		"nothing moved":                   {KindSpare, 41, list(41), "already"},
		"moved back meanwhile":            {KindSpare, 42, list(42), "changes more"},
		"a release gone meanwhile": {KindSpare, 42, func(m *metadata.TargetsType) {
			list(42)(m)
			delete(m.Targets, layout.ReleasePath(phone, 41))
		}, "changes more"},
	} {
		next, err := s.nextReleases(phone, w.now, 0)
		w.must(err)
		c.edit(&next.Signed)
		p := newProposal(c.kind, w.now)
		p.Product, p.Build, p.Base = phone, c.build, s.base(phone)
		_, err = p.finish(part{layout.ReleasesRole(phone), next.Signed})
		expectRefusal(t, name, err, c.why)
	}
	next, err := s.nextReleases(phone, w.now, 0)
	w.must(err)
	list(41, 42)(&next.Signed)
	p := newProposal(KindSpare, w.now)
	p.Product, p.Build, p.Base = phone, 42, s.base(phone)
	if _, err := p.finish(part{layout.ReleasesRole(phone), next.Signed}); err != nil {
		t.Errorf("the honest one: %v", err)
	}
}
