package ceremony

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// wider is a proposal from 2 of 3 to 3 of 5 root holders.
func (w *world) wider(s *State) *Proposal {
	w.t.Helper()
	w.key("gil", "Gil Haddad")
	w.key("hana", "Hana Ito")
	p, err := ChangeRoot(s, RootPeople{Change: PeopleChange{Add: w.publics("gil", "hana"), Threshold: 3}, Now: w.now})
	w.must(err)
	return p
}

func TestNewRootNeedsOldAndNewPeople(t *testing.T) {
	for name, c := range map[string]struct {
		who  []string
		word string
	}{
		"nobody new":     {[]string{"alice", "bob", "carol"}, "those who are new"},
		"one new":        {[]string{"alice", "bob", "carol", "gil"}, "it waits for Hana Ito"},
		"too few old":    {[]string{"alice", "gil", "hana"}, "of those who sign root now"},
		"too few at all": {[]string{"alice", "bob"}, "2 of 3"},
	} {
		w := newWorld(t)
		p := w.sign(w.wider(w.ready()), ImageNone, c.who...)
		if err := w.again(p).Complete(); !errors.Is(err, ErrIncomplete) || !strings.Contains(strings.Join(missingOf(p), "; "), c.word) {
			t.Errorf("%s: %v, %v", name, err, missingOf(p))
		}
		if _, err := p.Submission(); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWorld(t)
	p := w.sign(w.wider(w.ready()), ImageNone, "alice", "carol", "gil", "hana")
	if _, err := w.again(p).Submission(); err != nil {
		t.Error(err)
	}
	next := w.state(p)
	q, err := RenewTop(next, metadata.ROOT, w.now)
	w.must(err)
	if err := w.sign(q, ImageNone, "alice", "bob").Complete(); !errors.Is(err, ErrIncomplete) {
		t.Errorf("the old threshold is still enough: %v", err)
	}
}

func missingOf(p *Proposal) (out []string) {
	for _, s := range p.Status() {
		out = append(out, s.Missing...)
	}
	return out
}

// A proposal about people may change neither products nor the service's keys.
func TestChangeOfPeopleThatChangesMoreRefused(t *testing.T) {
	for name, edit := range map[string]func(w *world, root *metadata.RootType, targets *metadata.TargetsType){
		"timestamp": func(_ *world, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Roles[metadata.TIMESTAMP], r.Roles[metadata.SNAPSHOT] = r.Roles[metadata.SNAPSHOT], r.Roles[metadata.TIMESTAMP]
		},
		"engineers": func(_ *world, _ *metadata.RootType, m *metadata.TargetsType) {
			for i := range m.Delegations.Roles {
				if m.Delegations.Roles[i].Name == layout.ReleasesRole(phone) {
					slices.Reverse(m.Delegations.Roles[i].KeyIDs)
				}
			}
		},
		"dropped": func(_ *world, _ *metadata.RootType, m *metadata.TargetsType) {
			m.Delegations.Roles = m.Delegations.Roles[:1]
		},
		"nothing": func(w *world, r *metadata.RootType, _ *metadata.TargetsType) {
			ids, fields, _ := row(w.publics("alice", "bob", "carol"))
			for _, role := range []string{metadata.ROOT, metadata.TARGETS} {
				r.Roles[role] = &metadata.Role{KeyIDs: ids, Threshold: 2, UnrecognizedFields: fields}
			}
			for id := range r.Keys {
				if !slices.Contains(ids, id) && !slices.Contains(r.Roles[metadata.SNAPSHOT].KeyIDs, id) && !slices.Contains(r.Roles[metadata.TIMESTAMP].KeyIDs, id) {
					delete(r.Keys, id)
				}
			}
		},
		"one person twice": func(w *world, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Roles[metadata.ROOT].UnrecognizedFields[holdersField].(map[string]any)[w.public["gil"].KeyID] = "alice  CHEN"
		},
	} {
		w := newWorld(t)
		p := w.wider(w.ready())
		edit(w, &p.view.root.Signed, &p.view.targets.Signed)
		var err error
		for i, signed := range []any{p.view.root.Signed, p.view.targets.Signed} {
			p.Roles[i].Signed, err = signedText(signed)
			w.must(err)
		}
		data, err := p.Marshal()
		w.must(err)
		if _, err := Parse(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPersonReplacesAStolenKeyOfHisOwn(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	fresh := w.key("bob-2", "Bob Okafor")
	p, err := ChangeRoot(s, RootPeople{Change: PeopleChange{Replace: []Replacement{{"bob okafor", fresh}}}, Now: w.now})
	w.must(err)
	words := strings.Join(p.Describe(w.now), "\n")
	if !strings.Contains(words, "OTHER KEY: Bob Okafor") {
		t.Errorf("not told:\n%s", words)
	}
	w.sign(p, ImageNone, "alice", "carol", "bob-2")
	w.must(w.again(p).Complete())
	if _, err := ChangeRoot(s, RootPeople{Change: PeopleChange{Add: []keyring.Public{fresh}}, Now: w.now}); err == nil || !strings.Contains(err.Error(), "two keys") {
		t.Errorf("one person with two keys: %v", err)
	}
}

// products is a system whose phone has two live releases, signed by dora and emil.
func (w *world) products() *State {
	w.t.Helper()
	s := w.ready()
	for _, b := range []manifests.Build{41, 42} {
		p := w.propose(s, w.release(b))
		w.sign(p, ImageBuilder, "dora")
		s = w.state(w.sign(p, ImageRecomputed, "emil"))
	}
	return s
}

func TestStolenEngineersKeyIsReplacedAndReleasesSignedAnewAtOnce(t *testing.T) {
	w := newWorld(t)
	s := w.products()
	p, err := ChangeEngineers(s, ProductPeople{
		Product: phone, Change: PeopleChange{Replace: []Replacement{{"Emil Novak", w.public["fay"]}}}, Withdraw: []manifests.Build{42}, Now: w.now,
	})
	w.must(err)
	words := strings.Join(p.Describe(w.now), "\n")
	for _, want := range []string{"Emil Novak (WHOSE KEY GOES)", "OF THESE ONLY 1 STAY", "WITHDRAWN: build 42", "build 41, version"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in:\n%s", want, words)
		}
	}
	if got := p.Leaving(); !slices.Equal(got, []manifests.Build{41}) {
		t.Errorf("releases that rest on the key that goes: %v", got)
	}
	w.sign(p, ImageNone, "alice", "bob", "dora")
	if err := p.Complete(); !errors.Is(err, ErrIncomplete) {
		t.Errorf("without the new engineer: %v", err)
	}
	w.sign(p, ImageNone, "fay")
	done, err := w.again(p).Submission()
	w.must(err)
	if len(done.Metadata) != 2 {
		t.Errorf("files: %d", len(done.Metadata))
	}
	next := w.state(p)
	live, err := next.Releases(phone)
	w.must(err)
	if len(live) != 1 || live[0].Build != 41 {
		t.Errorf("live: %v", live)
	}
	q := w.propose(next, w.release(43))
	if err := q.CanSign(w.public["emil"], w.now); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the stolen key still signs: %v", err)
	}
}

func TestChangeOfEngineersAddsNoRelease(t *testing.T) {
	w := newWorld(t)
	s := w.products()
	p, err := ChangeEngineers(s, ProductPeople{Product: phone, Change: PeopleChange{Add: w.publics("fay")}, Now: w.now})
	w.must(err)
	m := &p.view.releases.Signed
	m.Targets[layout.ReleasePath(phone, 99)] = m.Targets[layout.ReleasePath(phone, 41)]
	p.Roles[1].Signed, err = signedText(*m)
	w.must(err)
	data, err := p.Marshal()
	w.must(err)
	if _, err := Parse(data); err == nil {
		t.Error("accepted")
	}
}

func TestRetiredProductKeepsItsRole(t *testing.T) {
	w := newWorld(t)
	s := w.products()
	p, err := RetireProduct(s, phone, w.now)
	w.must(err)
	s = w.state(w.sign(p, ImageNone, "dora", "emil"))
	if got := s.Products(); !slices.Equal(got, []manifests.Product{phone}) {
		t.Errorf("products: %v", got)
	}
	if live, err := s.Releases(phone); err != nil || len(live) != 0 {
		t.Errorf("%v, %v", live, err)
	}
	m := p.view.releases.Signed
	if m.Expires.Sub(w.now) < 360*24*time.Hour {
		t.Errorf("its last word expires %s", m.Expires)
	}
	if _, err := RetireProduct(s, phone, w.now); err == nil {
		t.Error("retired twice")
	}
	// One release left is no retirement.
	w = newWorld(t)
	p, err = RetireProduct(w.products(), phone, w.now)
	w.must(err)
	p.view.releases.Signed.Targets[layout.ReleasePath(phone, 41)] = p.view.baseReleases.Signed.Targets[layout.ReleasePath(phone, 41)]
	p.Roles[0].Signed, err = signedText(p.view.releases.Signed)
	w.must(err)
	data, err := p.Marshal()
	w.must(err)
	if _, err := Parse(data); err == nil {
		t.Error("accepted")
	}
}
