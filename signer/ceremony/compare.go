package ceremony

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// field is one thing that is signed in a release, in words.
type field struct{ name, value string }

// Compare says in words what differs between two releases: a line for each
// thing that does, as it was and as it will be, and one line for all that stays.
func Compare(old, next *manifests.Release) []string {
	before, after := fieldsOf(old), fieldsOf(next)
	was := map[string]string{}
	for _, f := range before {
		was[f.name] = f.value
	}
	is := map[string]bool{}
	lines, same := []string{}, []string{}
	for _, f := range after {
		is[f.name] = true
		switch value, known := was[f.name]; {
		case !known:
			lines = append(lines, fmt.Sprintf("  %s: (none) -> %s", f.name, f.value))
		case value == f.value:
			same = append(same, f.name)
		default:
			lines = append(lines, fmt.Sprintf("  %s: %s -> %s", f.name, value, f.value))
		}
	}
	for _, f := range before {
		if !is[f.name] {
			lines = append(lines, fmt.Sprintf("  %s: %s -> (none)", f.name, f.value))
		}
	}
	if len(same) > 0 {
		lines = append(lines, "  unchanged: "+strings.Join(same, ", "))
	}
	return lines
}

// fieldsOf lists everything that a release signs, so that nothing can change
// without a line.
func fieldsOf(r *manifests.Release) []field {
	out := []field{
		{"build", r.Build.String()},
		{"version", r.Version},
		{"why", fmt.Sprint(r.Risk)},
		{"models", joinAny(r.Compatible.Models)},
		{"installs over", overWhich(r)},
		{"security epoch", fmt.Sprint(r.SecurityEpoch)},
		{"offered from", r.NotBefore.String()},
		{"offered until", r.OfferUntil.String()},
		{"security fixes until", r.SupportUntil.String()},
		{"pace", paceWords(r.Pace)},
		{"urgency", urgencyWords(r.Urgency)},
		{"consent", yesNo(r.Consent.Required, "the owner is asked", "not asked")},
		{"bundles", yesNo(r.Offline, "may be installed from one", "none")},
		{"lab handsets", yesNo(r.LabAhead, "need not wait for the pace", "wait like all")},
		{"vote keys", voteKeyWords(r)},
		{"votes that may halt", fmt.Sprint(r.Votes.MinToHalt)},
	}
	for _, m := range r.Images {
		name := "image " + string(m.Slot)
		out = append(out, field{name, fmt.Sprintf("%d bytes, sha256 %s", m.Size, m.SHA256)},
			field{name + ", index", fmt.Sprintf("%d bytes, sha256 %s", m.Index.Size, m.Index.SHA256)},
			field{name + ", pack", fmt.Sprintf("%d bytes, sha256 %s", m.Pack.Size, m.Pack.SHA256)})
		for _, p := range m.Patches {
			out = append(out, field{fmt.Sprintf("%s, patch from %s", name, p.FromSHA256.Short()), fmt.Sprintf("table of %d bytes, sha256 %s, body of %d bytes", p.Table.Size, p.Table.SHA256, p.BodySize)})
		}
	}
	if p := r.Provenance; p != nil {
		out = append(out, field{"provenance", fmt.Sprintf("%d bytes, sha256 %s", p.Size, p.SHA256)})
	}
	if s := r.SBOM; s != nil {
		out = append(out, field{"SBOM", fmt.Sprintf("%s, %d bytes, sha256 %s", s.Format, s.Size, s.SHA256)})
	}
	for _, c := range r.Privacy.Collects {
		out = append(out, field{"PRIVACY, " + string(c.Data), fmt.Sprintf("by default %s, stored: %s; %s", c.Default, c.Stored, textOf(c.Purpose))})
	}
	for name, text := range map[string]manifests.Text{"fixes": r.Fixes, "notes": r.Notes, "consent notice": r.Consent.Notice, "PRIVACY, change": r.Privacy.Change} {
		for lang, words := range text {
			out = append(out, field{fmt.Sprintf("%s [%s]", name, lang), oneLineOf(words)})
		}
	}
	slices.SortStableFunc(out[16:], func(a, b field) int { return strings.Compare(a.name, b.name) })
	return out
}

func yesNo(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// textOf is a text in all its languages, on one line.
func textOf(t manifests.Text) string {
	parts := []string{}
	for _, lang := range slices.Sorted(maps.Keys(t)) {
		parts = append(parts, fmt.Sprintf("[%s] %s", lang, oneLineOf(t[lang])))
	}
	return strings.Join(parts, " ")
}

func oneLineOf(s string) string { return strings.Join(strings.Fields(s), " ") }

// voteKeyWords names the vote keys by a fingerprint of all of them.
func voteKeyWords(r *manifests.Release) string {
	if r.Votes.Primary == nil {
		return "none, so outcomes are not counted"
	}
	var all []byte
	for _, set := range []*manifests.VoteKeySet{r.Votes.Primary, r.Votes.Spare} {
		if set == nil {
			continue
		}
		for _, k := range []manifests.VoteKey{set.Attempt, set.Trial, set.Refusal, set.Regression} {
			all = append(all, k[:]...)
		}
	}
	return "eight keys, " + manifests.SumSHA256(all).Words()
}
