package ceremony

import (
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func (w *world) lintTree(anchor keyring.Anchor) lint.Findings {
	w.t.Helper()
	src, err := Dir(w.tree())
	w.must(err)
	return LintTree(w.t.Context(), src, anchor, w.now).Findings
}

func TestGoodTreeKeepsEveryRule(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	if found := w.lintTree(anchor); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// TestWhatOnlyTheWholeTreeShowsIsFound spoils a tree where no file breaks a rule
// of its own.
func TestWhatOnlyTheWholeTreeShowsIsFound(t *testing.T) {
	swap := func(w *world, path, old, by string) {
		t.Helper()
		if !strings.Contains(string(w.files[path]), old) {
			t.Fatalf("%s has no %s", path, old)
		}
		w.files[path] = []byte(strings.Replace(string(w.files[path]), old, by, 1))
	}
	releases := layout.MetadataFile("releases-phone", 2)
	for name, c := range map[string]struct {
		rule  lint.Rule
		role  string
		spoil func(w *world)
	}{
		"a role is gone":     {lint.RuleMissing, "releases-phone", func(w *world) { delete(w.files, releases) }},
		"a root is gone":     {lint.RuleMissing, "root", func(w *world) { delete(w.files, layout.MetadataFile("root", 1)) }},
		"a document is gone": {lint.RuleMissing, "releases/phone/41.json", func(w *world) { delete(w.files, w.documentAt(41)) }},
		"a document is another": {lint.RuleAgrees, "releases/phone/41.json", func(w *world) {
			w.files[w.documentAt(41)] = []byte(strings.ToUpper(string(w.files[w.documentAt(41)])))
		}},
		"other bytes than the snapshot names": {lint.RuleAgrees, "releases-phone", func(w *world) { w.files[releases] = append(w.files[releases], ' ') }},
		"a signature does not hold":           {lint.RuleThreshMet, "releases-phone", func(w *world) { swap(w, releases, `"sig":"`, `"sig":"00`) }},
		"root by other people":                {lint.RuleThreshMet, "root", func(w *world) { swap(w, layout.MetadataFile("root", 1), `"sig":"`, `"sig":"00`) }},
		"timestamp by another key":            {lint.RuleThreshMet, "timestamp", func(w *world) { swap(w, layout.TimestampFile, `"sig":"`, `"sig":"00`) }},
		"everything has expired":              {lint.RuleExpired, "releases-phone", func(w *world) { w.now = w.now.AddDate(1, 0, 0) }},
		"role that the snapshot lacks":        {lint.RuleDropped, "snapshot", func(w *world) { delete(w.meta, "releases-phone.json"); w.stamp() }},
	} {
		w := newWorld(t)
		anchor := w.published()
		c.spoil(w)
		found := w.lintTree(anchor)
		bites := false
		for _, f := range found.Only(c.rule) {
			bites = bites || strings.HasPrefix(f.Role, c.role) && f.Do != ""
		}
		if !bites {
			t.Errorf("%s: no finding of rule %s about %s in %v", name, c.rule, c.role, found)
		}
	}
	w := newWorld(t)
	w.published()
	other := newWorld(t)
	if found := w.lintTree(other.published()); len(found.Only(lint.RuleThreshMet)) == 0 {
		t.Error("the tree of others keeps every rule")
	}
}

func (w *world) documentAt(build manifests.Build) string {
	for path := range w.files {
		if strings.HasPrefix(path, "targets/releases/") && strings.HasSuffix(path, "."+build.String()+".json") {
			return path
		}
	}
	w.t.Fatal("no such document")
	return ""
}

// Two builds that are live together are compared also when neither is new: a
// label that widened in silence was put there past the signer. That its list is
// not signed is found as well: one finding hides no other.
func TestLiveReleasesAreComparedWithEachOther(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	silent := w.release(42, collecting)
	m, err := readTargets("releases-phone", w.files[layout.MetadataFile("releases-phone", 2)])
	w.must(err)
	path := layout.ReleasePath(phone, 42)
	m.Signed.Targets[path], err = metadata.TargetFile().FromBytes(path, silent, "sha256")
	w.must(err)
	data, err := m.ToBytes(false)
	w.must(err)
	w.files[layout.TargetFile(path, manifests.SumSHA256(silent))] = silent
	w.replace("releases-phone", 2, data)
	found := w.lintTree(anchor)
	if follows := found.Only(lint.RuleFollows); len(follows) != 1 || follows[0].Field != "privacy.change" || follows[0].Role != path {
		t.Errorf("%v", found)
	}
	if len(found.Only(lint.RuleThreshMet)) != 1 {
		t.Errorf("%v", found)
	}
}

func (w *world) expiring(anchor keyring.Anchor, days int) map[string]Due {
	w.t.Helper()
	src, err := Dir(w.tree())
	w.must(err)
	list, err := Expiring(w.t.Context(), src, anchor, ExpiringOptions{Now: w.now, Within: time.Duration(days) * 24 * time.Hour})
	w.must(err)
	out := map[string]Due{}
	for _, d := range list {
		out[d.Role] = d
	}
	return out
}

func TestExpiringTellsDaysPeopleAndWhatToRun(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	due := w.expiring(anchor, 30)
	if len(due) != 6 {
		t.Errorf("roles: %v", due)
	}
	for role, d := range due {
		if d.Due {
			t.Errorf("%s is due on its first day: %+v", role, d)
		}
	}
	d := due["releases-phone"]
	if d.Days != 60 || !d.Promise || d.Needed != 2 || strings.Join(d.People, ",") == "" || d.Run != "candor-signer renew phone" {
		t.Errorf("%+v", d)
	}
	if d := due["root"]; d.Days != 365 || len(d.People) != 3 || d.Run != "candor-signer renew root" {
		t.Errorf("%+v", d)
	}
	w.now = w.now.AddDate(0, 0, 59)
	w.stamp() // the service goes on
	due = w.expiring(anchor, 30)
	if d := due["releases-phone"]; d.Days != 1 || !d.Due || due["root"].Due || due["timestamp"].Due || !due["rollouts"].Due {
		t.Errorf("%+v", due)
	}
	w.now = w.now.AddDate(0, 0, 2)
	if d := w.expiring(anchor, 30)["releases-phone"]; d.Days != -1 || !strings.Contains(d.Words(), "PROMISE BROKEN") {
		t.Errorf("%+v", d)
	}
}

func TestExpiringSaysSoOfATreeThatHasExpired(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	w.now = w.now.AddDate(2, 0, 0)
	for role, d := range w.expiring(anchor, 0) {
		if !d.Due || d.Days >= 0 || !strings.Contains(d.Words(), "DUE") {
			t.Errorf("%s: %+v", role, d)
		}
	}
	delete(w.files, layout.MetadataFile("releases-phone", 2))
	src, err := Dir(w.tree())
	w.must(err)
	if _, err := Expiring(t.Context(), src, anchor, ExpiringOptions{Now: w.now}); err == nil {
		t.Error("a role that cannot be read is passed over in silence")
	}
}
