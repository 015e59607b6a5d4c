package lint

import (
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// restart is what to do about a file that the service made wrong.
const restart = "the service made it; look at its log, and at `candor-server doctor`"

// CheckTimestamp holds a timestamp against the rules: it names one snapshot,
// with length and one sha256, and says when it was made.
func CheckTimestamp(f *File) Findings {
	r := f.report()
	for _, name := range sorted(f.Meta) {
		if name != roleSnapshot+".json" {
			r.add(place{RuleField, join("meta", name), nil}, restart, "names %q; it names the snapshot alone", clip(name))
		}
	}
	if _, ok := f.Meta[roleSnapshot+".json"]; !ok {
		r.add(place{RuleForm, "meta", nil}, restart, "does not name a snapshot; TUF libraries stumble over it")
	}
	r.metaFiles(f)
	switch {
	case f.Issued == nil:
		r.add(place{RuleIssued, layout.FieldIssued, nil}, restart, "does not say when it was made (%s)", layout.FieldIssued)
	case f.Issued.After(f.Expires):
		r.add(place{RuleIssued, layout.FieldIssued, f.Issued}, restart, "says that it was made at %s, after its own end %s", f.Issued, manifests.At(f.Expires))
	}
	return r.found
}

// CheckSnapshot holds a snapshot against the rules: targets and every role that
// it delegates to, no others, each with version, length and one sha256. targets
// may be nil; the roles are then not compared.
func CheckSnapshot(targets, f *File) Findings {
	r := f.report()
	r.metaFiles(f)
	want := map[string]bool{roleTargets: true}
	if targets != nil {
		for _, row := range targets.Rows {
			want[row.Name] = true
		}
		for _, role := range sorted(want) {
			if _, ok := f.Meta[role+".json"]; !ok {
				r.add(place{RuleDropped, "meta", role}, "publish the role; no role ever leaves the snapshot", "does not name %s, which is delegated", role)
			}
		}
		for _, name := range sorted(f.Meta) {
			if !want[strings.TrimSuffix(name, ".json")] {
				r.add(place{RuleDropped, join("meta", name), nil}, "delegate to the role again; no role ever leaves", "names %s, which nobody delegates to", clip(name))
			}
		}
	}
	return r.found
}

func (r *report) metaFiles(f *File) {
	for _, name := range sorted(f.Meta) {
		m := f.Meta[name]
		if m.Version < 1 {
			r.add(place{RuleVersion, join("meta", name), m.Version}, restart, "names %s in version %d; the first is 1", clip(name), m.Version)
		}
		if m.Length <= 0 || !oneSHA256(m.Hashes) {
			r.add(place{RuleHash, join("meta", name), nil}, restart, "must name %s with its length and one sha256", clip(name))
		}
	}
}
