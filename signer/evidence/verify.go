package evidence

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
)

// Report is what Verify found.
type Report struct {
	Holds    bool               `json:"holds"` // every finding
	ID       manifests.Name     `json:"id"`
	Issued   *time.Time         `json:"issued,omitempty"` // expiry is judged as of then; absent if nothing is signed
	Findings []ceremony.Finding `json:"findings"`
	// NotCovered says what the bundle cannot prove, in words.
	NotCovered []string `json:"notCovered"`
}

// Verify checks a bundle, trusting nothing but the root that anchor names.
func Verify(ctx context.Context, b *evidence.Bundle, anchor keyring.Anchor) *Report {
	c := &check{b: b, report: &Report{ID: b.ID, Findings: []ceremony.Finding{}}, alone: map[int]bool{}}
	if plan, err := b.Plan(); err == nil {
		c.plan = *plan
	} else {
		c.fail("plan", "%v", err)
	}
	c.signed(ctx, anchor)
	c.chain()
	c.story()
	c.people()
	c.report.NotCovered = c.open()
	c.report.Holds = !slices.ContainsFunc(c.report.Findings, func(f ceremony.Finding) bool { return !f.Holds })
	return c.report
}

// check is one verification.
type check struct {
	b        *evidence.Bundle
	plan     rollout.Plan
	standing *ceremony.Standing // nil: the metadata do not hold
	report   *Report
	override int          // times that an admin went past the rules
	alone    map[int]bool // stages that an admin opened past the rules
}

func (c *check) hold(subject, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, ceremony.Finding{Subject: subject, Holds: true, Words: fmt.Sprintf(format, args...)})
}

func (c *check) fail(subject, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, ceremony.Finding{Subject: subject, Words: fmt.Sprintf(format, args...)})
}

// failures counts what does not hold so far.
func (c *check) failures() int {
	n := 0
	for _, f := range c.report.Findings {
		if !f.Holds {
			n++
		}
	}
	return n
}

// files is a ceremony.Source over what the bundle carries.
type files map[string][]byte

// Open gives a file, or fs.ErrNotExist.
func (f files) Open(_ context.Context, path string) (io.ReadCloser, error) {
	body, ok := f[path]
	if !ok {
		return nil, fmt.Errorf("%s is not in the bundle: %w", path, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// signed checks the metadata, and what they say about the rollout.
func (c *check) signed(ctx context.Context, anchor keyring.Anchor) {
	s, err := ceremony.StandingOf(ctx, files(c.b.Files), anchor, vote.Ref{Product: c.b.Product, Build: c.b.Build})
	if err != nil {
		c.fail("signed metadata", "%v", err)
		return
	}
	c.standing = s
	issued := s.Issued
	c.report.Issued = &issued
	c.report.Findings = append(c.report.Findings, s.Findings...)
	c.published()
}

// shown are the states that handsets are told of, if the release is signed.
var shown = []rollout.State{rollout.Scheduled, rollout.Active, rollout.Held, rollout.Halted, rollout.Complete}

// published holds the claimed rollout against the signed rollouts document.
func (c *check) published() {
	state := rollout.State(c.b.Rollout.State)
	var entry *rollout.Rollout
	if d := c.standing.Document; d != nil {
		if i := slices.IndexFunc(d.Rollouts, func(r rollout.Rollout) bool { return r.ID == c.b.ID }); i >= 0 {
			entry = &d.Rollouts[i]
		}
	}
	told := slices.Contains(shown, state) && c.standing.Release != nil
	switch {
	case entry == nil && told:
		c.fail("rollout", "is %s, it is claimed, but the signed rollouts document does not name it", state)
	case entry == nil && slices.Contains(shown, state):
		c.hold("rollout", "claimed to be %s; the engineers have withdrawn build %d, so handsets are not told of it any more", state, c.b.Build)
	case entry == nil:
		c.hold("rollout", "claimed to be %s, and the signed rollouts document does not name it", state)
	default:
		c.entry(entry)
	}
}

// entry holds the claims against what handsets are told.
func (c *check) entry(e *rollout.Rollout) {
	before := c.failures()
	claimed := &c.b.Rollout
	if string(e.State) != string(claimed.State) || e.Stage != claimed.Stage || int(e.Share) != claimed.SharePPM {
		c.fail("rollout", "is claimed to be %s, stage %d, %s; handsets are told %s, stage %d, %s", claimed.State, claimed.Stage+1,
			manifests.SharePPM(claimed.SharePPM), e.State, e.Stage+1, e.Share)
	}
	if c.standing.Release == nil || e.Release != c.standing.Signed {
		c.fail("rollout", "offers a release (%s, sha256 %s…) that the engineers do not sign; no handset takes it", e.Release.Path, e.Release.SHA256.Short())
	}
	if e.Build != c.plan.Build || e.Channel != c.plan.Channel || !same(e.Audience, c.plan.Audience) || e.Kind != c.plan.Kind ||
		!same(e.Deadline, c.plan.Deadline) || e.Deferral != c.plan.Deferral || !same(e.Window, c.plan.Window) || e.Spread != c.plan.Spread {
		c.fail("rollout", "handsets are told another channel, audience or condition than the plan has")
	}
	if r := c.standing.Release; r != nil {
		if err := c.plan.CheckAgainst(r); err != nil {
			c.fail("plan", "asks for more than the release signs: %v", err)
		}
	}
	if c.failures() == before {
		c.hold("rollout", "%s, stage %d of %d, %s, build %d: handsets are told the same, and the engineers sign the release that it offers",
			e.State, e.Stage+1, len(c.plan.Stages), e.Share, e.Build)
	}
}
