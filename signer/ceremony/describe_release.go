package ceremony

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/signer/keyring"
)

// DescribeRelease says a release in words, and its privacy label in comparison
// with each older release that it may replace.
func DescribeRelease(r *manifests.Release, before []manifests.Release) []string {
	lines := []string{
		fmt.Sprintf("  why: %s", r.Risk),
		fmt.Sprintf("  for models: %s", joinAny(r.Compatible.Models)),
		fmt.Sprintf("  installs over: %s", overWhich(r)),
		fmt.Sprintf("  security epoch: %d", r.SecurityEpoch),
	}
	lines = append(lines, textLines("fixes", r.Fixes)...)
	for _, m := range r.Images {
		lines = append(lines, imageLines(m)...)
	}
	lines = append(lines,
		fmt.Sprintf("  may be offered from %s until %s; security fixes until %s", r.NotBefore, r.OfferUntil, r.SupportUntil),
		"  pace: "+paceWords(r.Pace),
		"  urgency: "+urgencyWords(r.Urgency))
	lines = append(lines, privacyLines(r, before)...)
	if r.Consent.Required {
		lines = append(lines, "  CONSENT: the owner is asked before it installs")
	} else {
		lines = append(lines, "  consent: not asked, unless a handset's own build collects less")
	}
	lines = append(lines, textLines("notice", r.Consent.Notice)...)
	lines = append(lines, textLines("notes", r.Notes)...)
	return append(append(lines, attachedLines(r)...), voteLines(r)...)
}

// attachedLines name what the release says about its own making.
func attachedLines(r *manifests.Release) []string {
	var lines []string
	if p := r.Provenance; p != nil {
		lines = append(lines, fmt.Sprintf("  provenance (in-toto, SLSA): %d bytes, sha256 %s", p.Size, p.SHA256))
	}
	if s := r.SBOM; s != nil {
		lines = append(lines, fmt.Sprintf("  list of what is inside (SBOM, %s): %d bytes, sha256 %s", s.Format, s.Size, s.SHA256))
	}
	return lines
}

func overWhich(r *manifests.Release) string {
	if r.Rollback != nil {
		return fmt.Sprintf("builds %s only: a ROLLBACK to the images of build %d", joinAny(r.Rollback.From), r.Rollback.Contents)
	}
	if r.Compatible.MinBuild == 0 {
		return "any older build"
	}
	return fmt.Sprintf("builds from %d up", r.Compatible.MinBuild)
}

func imageLines(m manifests.Image) []string {
	lines := []string{
		fmt.Sprintf("  image %s: %d bytes, sha256 %s", m.Slot, m.Size, m.SHA256),
		fmt.Sprintf("    index %d bytes, sha256 %s", m.Index.Size, m.Index.SHA256),
		fmt.Sprintf("    pack %d bytes, sha256 %s", m.Pack.Size, m.Pack.SHA256),
	}
	for _, p := range m.Patches {
		lines = append(lines, fmt.Sprintf("    patch from image %s: %d bytes, table sha256 %s", p.FromSHA256, p.Table.Size+p.BodySize, p.Table.SHA256))
	}
	return lines
}

func paceWords(pace []manifests.PaceStep) string {
	steps := make([]string, len(pace))
	for i, s := range pace {
		when := "at once"
		if s.After.Duration > 0 {
			when = "after " + s.After.String()
		}
		steps[i] = fmt.Sprintf("at most %s %s", s.MaxShare, when)
	}
	return strings.Join(steps, ", ")
}

func urgencyWords(u manifests.Urgency) string {
	words := fmt.Sprintf("at most %s; an owner may always put it off for %s", u.MaxKind, u.MinDeferral)
	if u.EarliestDeadline != nil {
		words += fmt.Sprintf("; nobody is made to restart before %s", *u.EarliestDeadline)
	}
	return words
}

// privacyLines is the part that an owner would read first.
func privacyLines(r *manifests.Release, before []manifests.Release) []string {
	lines := []string{}
	for _, c := range r.Privacy.Collects {
		lines = append(lines, fmt.Sprintf("  PRIVACY: collects %s, by default %s, stored: %s. %s", c.Data, c.Default, c.Stored, c.Purpose.In("en")))
	}
	if len(lines) == 0 {
		lines = append(lines, "  PRIVACY: collects nothing")
	}
	for i := range before {
		if lint.Admits(r, &before[i]) {
			lines = append(lines, "    compared with build "+before[i].Build.String()+": "+labelDifference(before[i].Privacy, r.Privacy))
		}
	}
	return append(lines, textLines("change", r.Privacy.Change)...)
}

// labelDifference says what an owner gives and gets back by going from old to
// next.
func labelDifference(old, next manifests.PrivacyLabel) string {
	var parts []string
	if more := old.Widening(next); len(more) > 0 {
		parts = append(parts, "it TAKES MORE: it "+strings.Join(more, "; "))
	}
	if less := narrowing(old, next); len(less) > 0 {
		parts = append(parts, "it takes less: it "+strings.Join(less, "; "))
	}
	if len(parts) == 0 {
		return "no difference"
	}
	return strings.Join(parts, "; ")
}

// narrowing is the opposite of manifests.PrivacyLabel.Widening.
func narrowing(old, next manifests.PrivacyLabel) []string {
	var out []string
	for _, c := range old.Collects {
		i := slices.IndexFunc(next.Collects, func(n manifests.Collection) bool { return n.Data == c.Data })
		switch {
		case i < 0:
			out = append(out, fmt.Sprintf("no longer collects %s", c.Data))
		case c.Default == manifests.On && next.Collects[i].Default == manifests.Off:
			out = append(out, fmt.Sprintf("turns %s off by default", c.Data))
		case len(next.Widening(manifests.PrivacyLabel{Collects: []manifests.Collection{c}})) > 0:
			out = append(out, fmt.Sprintf("stores %s as %q instead of %q", c.Data, next.Collects[i].Stored, c.Stored))
		}
	}
	return out
}

func voteLines(r *manifests.Release) []string {
	lines := []string{}
	if r.Votes.Primary == nil {
		lines = append(lines, "  votes: no keys, so outcomes are not counted")
	} else {
		lines = append(lines, fmt.Sprintf("  votes: counted under the keys in the release, with a spare set; no automatic halt on fewer than %d", r.Votes.MinToHalt))
	}
	if r.Offline {
		lines = append(lines, "  may be installed from a bundle by its owner, without a server")
	}
	if r.LabAhead {
		lines = append(lines, "  handsets in lab mode need not wait for the pace")
	}
	return lines
}

func textLines(what string, t manifests.Text) []string {
	lines := []string{}
	for _, lang := range slices.Sorted(maps.Keys(t)) {
		lines = append(lines, fmt.Sprintf("  %s [%s]: %s", what, lang, strings.ReplaceAll(strings.TrimSpace(t[lang]), "\n", "\n      ")))
	}
	return lines
}

func joinAny[T any](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = fmt.Sprint(item)
	}
	return strings.Join(words, ", ")
}

// liveBuilds lists the builds of a releases role, lowest first.
func liveBuilds(m *targetsMeta) string {
	var builds []manifests.Build
	for path := range m.Signed.Targets {
		if _, b, err := layout.ParseReleasePath(path); err == nil {
			builds = append(builds, b)
		}
	}
	if len(builds) == 0 {
		return "none"
	}
	slices.Sort(builds)
	return joinAny(builds)
}

func wordsOf(id string) string {
	words, err := keyring.Words(id)
	if err != nil {
		return short(id)
	}
	return words
}
