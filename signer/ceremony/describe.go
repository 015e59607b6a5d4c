package ceremony

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Describe says in words, line by line, what a signature under this proposal
// means: the change first, then for how long.
func (p *Proposal) Describe(now time.Time) []string {
	var lines []string
	switch p.Kind {
	case KindInit:
		lines = append(lines, "THE FIRST ROOT OF A NEW SYSTEM. Whoever signs it accepts these people and keys:")
		lines = append(lines, describeRoot(p.view.root)...)
		lines = append(lines, describeDelegations(p.view.targets)...)
	case KindProduct:
		lines = append(lines, fmt.Sprintf("A NEW PRODUCT: %s. Its releases will be signed as follows:", p.Product))
		lines = append(lines, describeDelegation(p.view.targets, layout.ReleasesRole(p.Product)))
	case KindRelease:
		lines = append(lines, fmt.Sprintf("A RELEASE: %s build %d, version %s.", p.Product, p.Build, p.view.release.Version))
		lines = append(lines, DescribeRelease(p.view.release, p.view.before)...)
		if n := len(p.view.before); n > 0 {
			lines = append(lines, fmt.Sprintf("AGAINST BUILD %d, the newest before it:", p.view.before[n-1].Build))
			lines = append(lines, Compare(&p.view.before[n-1], p.view.release)...)
		}
	case KindWithdraw:
		lines = append(lines, fmt.Sprintf("A WITHDRAWAL: %s build %d will no longer be signed. No server can offer it afterwards.", p.Product, p.Build),
			"Handsets that run it keep running it, and take the next release.")
		lines = append(lines, p.view.strandsOf(p)...)
	case KindRenew:
		lines = append(lines, "A RENEWAL: nothing changes but the expiry.")
	default:
		lines = append(lines, rules[p.Kind].describe(p.view, p)...)
	}
	for _, r := range p.view.roles {
		lines = append(lines, p.describeRole(r, now)...)
	}
	lines = append(lines, p.describeStatements()...)
	for i := range lines {
		lines[i] = harmless(lines[i], true)
	}
	return lines
}

// describeRole says until when a role will hold, and what expires before it.
func (p *Proposal) describeRole(r *roleView, now time.Time) []string {
	lines := []string{fmt.Sprintf("%s: version %d, expires %s (in %d days)", r.name, r.version, r.expires.Format(time.DateOnly), days(r.expires.Sub(now)))}
	switch {
	case r.name == metadata.ROOT && len(p.view.roots) > 0:
		lines = append(lines, "  before: "+p.view.roots[len(p.view.roots)-1].Signed.Expires.Format(time.DateOnly))
	case r.name == metadata.TARGETS && p.view.baseTargets != nil:
		lines = append(lines, "  before: "+p.view.baseTargets.Signed.Expires.Format(time.DateOnly))
	case p.view.releases != nil && r.name != metadata.TARGETS && r.name != metadata.ROOT:
		if at, err := nextBy(r.name, p.view.releases); err == nil {
			lines = append(lines, fmt.Sprintf("  promises handsets the next word by %s (in %d days)", at.Format(time.DateOnly), days(at.Sub(now))))
		}
		lines = append(lines, fmt.Sprintf("  live releases afterwards: %s", liveBuilds(p.view.releases)))
		if builds := keptSpare(&p.view.releases.Signed); len(builds) > 0 {
			lines = append(lines, fmt.Sprintf("  votes under spare keys: builds %v", builds))
		}
	}
	for _, t := range r.tables {
		words := "needs"
		switch t.whose {
		case sideBefore:
			words = "and of those who sign it now"
		case sideNew:
			words = "and, to show that they can use their keys, all"
		}
		lines = append(lines, fmt.Sprintf("  %s %d of: %s", words, t.threshold, joinNames(t.people())))
	}
	return lines
}

func (p *Proposal) describeStatements() []string {
	lines := []string{}
	for _, s := range p.Statements {
		how := map[Image]string{
			ImageNone: "", ImageBuilder: ", as its builder", ImageRecomputed: ", having recomputed every image",
			ImageWithout: " WITHOUT LOOKING AT AN OWN IMAGE",
		}[s.Image]
		lines = append(lines, fmt.Sprintf("signed by %s at %s%s", s.Holder, s.At, how))
	}
	if len(lines) == 0 {
		lines = append(lines, "signed by nobody yet")
	}
	standing := p.Rejected()
	for _, r := range p.Rejections {
		line := fmt.Sprintf("REJECTED by %s at %s: %s", r.Holder, r.At, strings.ReplaceAll(r.Reason, "\n", " / "))
		if !slices.ContainsFunc(standing, func(s Rejection) bool { return s.KeyID == r.KeyID }) {
			line += " (and signed since)"
		}
		lines = append(lines, line)
	}
	return lines
}

// describeRoot lists the role table of a root.
func describeRoot(root *rootMeta) []string {
	lines := []string{}
	for _, name := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		t, err := rootRole(root, name)
		if err != nil {
			lines = append(lines, "  "+err.Error())
			continue
		}
		lines = append(lines, describeTable(t))
	}
	return lines
}

func describeDelegations(targets *targetsMeta) []string {
	lines := []string{}
	if targets.Signed.Delegations == nil {
		return lines
	}
	for _, r := range targets.Signed.Delegations.Roles {
		lines = append(lines, describeDelegation(targets, r.Name))
	}
	return lines
}

func describeDelegation(targets *targetsMeta, role string) string {
	t, err := delegatedRole(targets, role)
	if err != nil {
		return "  " + err.Error()
	}
	return describeTable(t)
}

func describeTable(t roleTable) string {
	line := fmt.Sprintf("  %s: %d of %d:", t.name, t.threshold, len(t.keyIDs))
	for _, id := range t.keyIDs {
		line += fmt.Sprintf(" %s (key %s)", t.holderOf(id), wordsOf(id))
	}
	return line
}

// days rounds to the nearest.
func days(d time.Duration) int { return int(d.Round(24*time.Hour) / (24 * time.Hour)) }
