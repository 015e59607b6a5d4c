package ceremony

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/keyring"
)

// four has builds 41 to 44 live; 44 shuts out what is below 42.
func four(w *world) (*State, keyring.Anchor) {
	w.t.Helper()
	anchor := w.published()
	for build := manifests.Build(42); build <= 44; build++ {
		s, err := w.load(anchor)
		w.must(err)
		doc := w.release(build, func(r *manifests.Release) {
			if build == 44 {
				r.Compatible.MinBuild = 42
			}
		})
		w.publish(w.sign(w.sign(w.propose(s, doc), ImageBuilder, "dora"), ImageRecomputed, "emil"))
	}
	s, err := w.load(anchor)
	w.must(err)
	return s, anchor
}

func TestReleasesThatNobodyNeedsAreRetired(t *testing.T) {
	w := newWorld(t)
	s, anchor := four(w)
	r, err := Retirable(s, phone, []manifests.Build{41})
	w.must(err)
	if !slices.Equal(r.Gone, []manifests.Build{42}) || !strings.Contains(r.Kept[43], "on their way to build 44") || r.Kept[41] != "a rollout offers it" {
		t.Errorf("%+v", r)
	}
	r, err = Retirable(s, phone, nil)
	w.must(err)
	if !slices.Equal(r.Gone, []manifests.Build{41, 42}) {
		t.Errorf("%+v", r)
	}
	for build, why := range map[manifests.Build]string{44: "newest", 43: "on their way", 40: "not live"} {
		_, err := RetireReleases(s, phone, []manifests.Build{41, build}, nil, w.now)
		expectRefusal(t, build.String(), err, why)
	}
	_, err = RetireReleases(s, phone, []manifests.Build{41}, []manifests.Build{41}, w.now)
	expectRefusal(t, "offered", err, "offers it")
	p, err := RetireReleases(s, phone, r.Gone, nil, w.now)
	w.must(err)
	said := strings.Join(w.again(p).Describe(w.now), "\n")
	if !strings.Contains(said, "RETIRES builds 41, 42") || !strings.Contains(said, "build 43 stays") {
		t.Error(said)
	}
	before := maps.Clone(w.files)
	w.publish(w.sign(w.again(p), ImageNone, "dora", "emil"))
	s, err = w.load(anchor)
	w.must(err)
	left, err := s.Releases(phone)
	w.must(err)
	if len(left) != 2 || left[0].Build != 43 {
		t.Errorf("live: %v", left)
	}
	if found := w.lintTree(anchor); len(found) > 0 {
		t.Errorf("%v", found)
	}
	next, err := RenewReleases(s, phone, w.now) // the word is said once
	w.must(err)
	if strings.Contains(next.Roles[0].Signed, layout.FieldRetires) {
		t.Error("the next list retires again")
	}
	w.archives(anchor, before)
}

// Whoever edits a proposal so that it retires what handsets need is refused by
// each signer's own program.
func TestForgedRetirementRefused(t *testing.T) {
	w := newWorld(t)
	s, _ := four(w)
	p, err := RetireReleases(s, phone, []manifests.Build{41}, nil, w.now)
	w.must(err)
	data, err := p.Marshal()
	w.must(err)
	for name, c := range map[string]struct{ old, by, why string }{
		"another build": {`\"x-retires\":[41]`, `\"x-retires\":[42]`, "which is live"},
		"a stone":       {`\"x-retires\":[41]`, `\"x-retires\":[41,43]`, "which is live"},
		"nothing":       {`,\"x-retires\":[41]`, ``, "names the builds"},
	} {
		bad := strings.Replace(string(data), c.old, c.by, 1)
		if bad == string(data) {
			t.Errorf("%s: the test changes nothing", name)
		}
		_, err := Parse([]byte(bad))
		expectRefusal(t, name, err, c.why)
	}
}

// The same, by somebody who makes a whole proposal of it.
func TestRetirementOfASteppingStoneRefusedByEverySigner(t *testing.T) {
	w := newWorld(t)
	s, _ := four(w)
	next, err := s.nextReleases(phone, w.now, 0)
	w.must(err)
	delete(next.Signed.Targets, layout.ReleasePath(phone, 43))
	delete(next.Signed.Targets, layout.ReleasePath(phone, 42))
	next.Signed.UnrecognizedFields[layout.FieldRetires] = []any{42, 43}
	p := newProposal(KindReleasesRetire, w.now)
	p.Product, p.Base = phone, s.base(phone)
	_, err = p.finish(part{layout.ReleasesRole(phone), next.Signed})
	expectRefusal(t, "a stepping stone", err, "on their way to build 44")
}

// archives keeps build 41 as the service does, and verifies it two years later.
func (w *world) archives(anchor keyring.Anchor, before map[string][]byte) {
	w.t.Helper()
	a := &archive.Archive{
		Spec: archive.Spec, Product: phone, Build: 41, How: layout.Retired, Live: before,
		Gone: map[string][]byte{layout.MetadataFile("releases-phone", 6): w.files[layout.MetadataFile("releases-phone", 6)]},
	}
	verify := func(a *archive.Archive, anchor keyring.Anchor) error {
		data, err := a.Encode()
		w.must(err)
		again, err := archive.Parse(data)
		w.must(err)
		r, err := VerifyArchive(w.t.Context(), again, anchor)
		if err == nil && !r.Holds {
			err = errorOf(r)
		}
		return err
	}
	w.now = w.now.AddDate(2, 0, 0) // nothing asks for the time
	w.must(verify(a, anchor))
	other := newWorld(w.t)
	for name, c := range map[string]struct {
		why   string
		spoil func(a *archive.Archive)
	}{
		"said to be withdrawn": {"the engineers' list 6 does not", func(a *archive.Archive) { a.How = layout.Withdrawn }},
		"another build":        {"does not take build 44 off", func(a *archive.Archive) { a.Build = 44 }},
		"no list took it off":  {"list that took it off", func(a *archive.Archive) { a.Gone = map[string][]byte{} }},
		"list of one signer": {"not enough signatures", func(a *archive.Archive) {
			path := layout.MetadataFile("releases-phone", 6)
			a.Gone = map[string][]byte{path: thin(testOf(w.t), a.Gone[path])}
		}},
		"document changed": {"41.json", func(a *archive.Archive) {
			a.Live = maps.Clone(a.Live)
			for path, data := range a.Live {
				if strings.HasSuffix(path, ".41.json") {
					a.Live[path] = []byte(strings.Replace(string(data), "mi3", "mi4", 1))
				}
			}
		}},
	} {
		bad := *a
		c.spoil(&bad)
		err := verify(&bad, anchor)
		if err == nil || !strings.Contains(err.Error(), c.why) {
			w.t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify(a, other.published()); err == nil {
		w.t.Error("an archive of others holds")
	}
}

func testOf(tb testing.TB) *testing.T {
	t, ok := tb.(*testing.T)
	if !ok {
		tb.Fatal("not in a benchmark")
	}
	return t
}

// errorOf says what of a report does not hold.
func errorOf(r *Report) error {
	for _, f := range r.Findings {
		if !f.Holds {
			return errors.New(f.Subject + ": " + f.Words)
		}
	}
	return nil
}
