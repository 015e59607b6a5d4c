package incident

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/ceremony"
)

// facts are what the published tree says, in words.
func facts(s *ceremony.Situation) []string {
	lines := []string{held(&s.Root, s.Now)}
	if s.Targets != nil {
		lines = append(lines, held(s.Targets, s.Now))
	}
	keys := []string{}
	for i := range s.Service {
		h := &s.Service[i]
		for _, p := range h.Holders {
			keys = append(keys, fmt.Sprintf("%s %s", h.Role, short(p.KeyID)))
		}
	}
	lines = append(lines, fmt.Sprintf("keys of the service, since root %d: %s", s.Since, strings.Join(keys, ", ")))
	for i := range s.Service {
		if h := &s.Service[i]; h.Version > 0 {
			lines = append(lines, fmt.Sprintf("%s version %d, until %s%s", h.Role, h.Version, moment(h.Expires), odd(h)))
		}
	}
	if s.Issued != nil {
		line := "the service last said something on " + moment(*s.Issued)
		if s.Issued.After(s.Now.Add(time.Hour)) {
			line += ", WHICH LIES AHEAD: not an honest server's word, or this clock is wrong"
		}
		lines = append(lines, line)
	}
	for i := range s.Products {
		lines = append(lines, product(&s.Products[i], s.Now)...)
	}
	for _, f := range s.Findings {
		lines = append(lines, "DOES NOT HOLD: "+f.Subject+": "+f.Words)
	}
	if s.Problem != "" {
		lines = append(lines, "THE REST COULD NOT BE VERIFIED: "+s.Problem)
	}
	return lines
}

func held(h *ceremony.Held, now time.Time) string {
	return fmt.Sprintf("%s version %d, until %s (%s): %d of %s", h.Role, h.Version, moment(h.Expires), left(h.Expires, now), h.Threshold, strings.Join(h.Names(), ", "))
}

// odd marks numbers that no server counts up to.
func odd(h *ceremony.Held) string {
	if h.Version > math.MaxInt32/2 {
		return ", A NUMBER THAT NO HONEST SERVER REACHES: handsets that saw it take nothing lower until the keys are replaced"
	}
	return ""
}

func product(f *ceremony.InForce, now time.Time) []string {
	head := fmt.Sprintf("%s: list %d signed by %s; %d of %s may; until %s (%s), next word promised by %s", f.Product, f.Held.Version, strings.Join(f.Held.SignedBy, ", "),
		f.Held.Threshold, strings.Join(f.Held.Names(), ", "), moment(f.Held.Expires), left(f.Held.Expires, now), f.NextBy.Format(time.DateOnly))
	lines := []string{head}
	for i := range f.Live {
		r := &f.Live[i]
		lines = append(lines, fmt.Sprintf("  build %d, version %s: live, installs over %s; %s", r.Build, r.Version, over(r), offers(f, r.Build)))
	}
	for _, r := range f.Rollouts {
		if !slices.ContainsFunc(f.Live, func(l manifests.Release) bool { return l.Build == r.Build }) {
			lines = append(lines, fmt.Sprintf("  build %d: withdrawn; rollout %s is %s", r.Build, r.ID, r.State))
		}
	}
	return lines
}

func over(r *manifests.Release) string {
	switch {
	case r.Rollback != nil:
		return fmt.Sprintf("builds %v alone", r.Rollback.From)
	case r.Compatible.MinBuild > 0:
		return fmt.Sprintf("build %d and later", r.Compatible.MinBuild)
	}
	return "any build"
}

// offers says how a build is rolled out.
func offers(f *ceremony.InForce, b manifests.Build) string {
	words := []string{}
	for _, r := range f.Rollouts {
		if r.Build == b {
			words = append(words, fmt.Sprintf("rollout %s is %s, for %s", r.ID, r.State, r.Share))
		}
	}
	if len(words) == 0 {
		return "offered by no rollout"
	}
	return strings.Join(words, ", ")
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func left(t, now time.Time) string {
	d := t.Sub(now)
	if d <= 0 {
		return "EXPIRED"
	}
	return fmt.Sprintf("%d days left", int(d/(24*time.Hour)))
}

// firstEnd is when the first of the files expires that people sign and that a
// handset of the product holds: no thief of the service's keys can keep it on
// what it has for longer.
func firstEnd(s *ceremony.Situation, f *ceremony.InForce) time.Time {
	end := s.Root.Expires
	if s.OldRoot != nil && s.OldRoot.Before(end) {
		end = *s.OldRoot
	}
	if s.Targets != nil && s.Targets.Expires.Before(end) {
		end = s.Targets.Expires
	}
	if f != nil && !f.Held.Expires.IsZero() && f.Held.Expires.Before(end) {
		end = f.Held.Expires
	}
	return end
}
