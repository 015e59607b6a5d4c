package votes

import (
	"context"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// SmallCell is the fewest votes of which anything beyond their number is shown.
const SmallCell = 20

// Counts sums up the votes of a release under the key set in use.
type Counts struct {
	Attempts    int64
	Trials      int64 // Healthy + RolledBack
	Healthy     int64
	RolledBack  int64
	Declined    int64
	NotTried    int64 // refusals with outcome install_failed
	Regressions int64

	// Failures are the votes that count against the release: RolledBack and
	// Regressions. They are shown however few they are.
	Failures int64
	// Reasons of failures and of NotTried, by class.
	Reasons map[vote.Class]map[vote.Reason]int64
	// From is where handsets came from whose trial was counted.
	From map[vote.FromClass]int64

	// Silent is the fewest handsets that must have attempted longer than the
	// grace time ago and never been heard of again: attempts up to then, less
	// all trials. Zero once the votes are closed. Due are those attempts.
	Silent, Due int64
	// Issued is the number of trial tokens given out, Revoked how many of them
	// went to batches that were revoked since.
	Issued, Revoked int64

	// Masked tells that parts were left out because they are below SmallCell.
	Masked bool
	// At is when the counts were read.
	At time.Time

	hours map[store.Hour]int64 // attempts
}

// Counts reads the exact counts as of now. They are for the rollout engine;
// what people see is Shown.
func (s *Service) Counts(ctx context.Context, ref vote.Ref) (Counts, error) {
	release, err := s.Ledger.VoteRelease(ctx, ref)
	if err != nil {
		return Counts{}, err
	}
	tally, err := s.Ledger.Tally(ctx, ref, release.Active)
	if err != nil {
		return Counts{}, err
	}
	c := Counts{
		At: s.Now(), From: map[vote.FromClass]int64{},
		Reasons: map[vote.Class]map[vote.Reason]int64{vote.Trial: {}, vote.Refusal: {}, vote.Regression: {}},
	}
	for class, cells := range tally.Cells {
		for cell, n := range cells {
			v, err := vote.OfCell(class, cell)
			if err != nil {
				return Counts{}, fmt.Errorf("counts of %s: %w", ref, err)
			}
			c.add(class, v, n)
		}
	}
	c.hours = tally.Attempts
	c.Due, c.Silent = c.silence(s.Grace)
	c.Issued, c.Revoked, err = s.issued(ctx, tally.Issued[vote.Trial])
	return c, err
}

func (c *Counts) add(class vote.Class, v vote.Vote, n int64) {
	if v.Failed(class) {
		c.Failures += n
	}
	switch class {
	case vote.Attempt:
		c.Attempts += n
		return
	case vote.Trial:
		c.Trials += n
		c.From[v.FromClass] += n
	case vote.Regression:
		c.Regressions += n
	}
	switch v.Outcome {
	case vote.InstalledHealthy:
		c.Healthy += n
	case vote.RolledBack:
		c.RolledBack += n
	case vote.Declined:
		c.Declined += n
	case vote.InstallFailed:
		c.NotTried += n
	}
	if v.Reason != vote.None {
		c.Reasons[class][v.Reason] += n
	}
}

// silence counts the attempts of whole hours that are older than the grace
// time, and how many of them no trial can stand for: every trial stands for one
// of them, so what is left cannot be explained by haste.
func (c *Counts) silence(grace time.Duration) (due, silent int64) {
	for hour, attempts := range c.hours {
		if hour < store.HourOf(c.At.Add(-grace)) {
			due += attempts
		}
	}
	return due, max(0, due-c.Trials)
}

func (s *Service) issued(ctx context.Context, byBatch map[manifests.Name]int64) (all, revoked int64, err error) {
	batches, err := s.Ledger.Batches(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, b := range batches {
		all += byBatch[b.Name]
		if !b.Revoked.IsZero() {
			revoked += byBatch[b.Name]
		}
	}
	return all, revoked, nil
}

// masked leaves out what is too fine to be shown.
func (c Counts) masked() Counts {
	reasons := make(map[vote.Class]map[vote.Reason]int64, len(c.Reasons))
	for class, parts := range c.Reasons {
		reasons[class] = maskParts(parts, &c.Masked)
	}
	c.Reasons, c.From = reasons, maskParts(c.From, &c.Masked)
	return c
}

// Masked leaves out what is too fine to be shown of exact counts, as the engine
// has them.
func Masked(c verdict.Counts) verdict.Counts {
	var masked bool
	c.Reasons = maskParts(c.Reasons, &masked)
	return c
}

// maskParts drops parts below SmallCell. If it was only one, the smallest of
// the others goes too, or the total would give it away.
func maskParts[K comparable](parts map[K]int64, masked *bool) map[K]int64 {
	out := make(map[K]int64, len(parts))
	var least K
	for k, n := range parts {
		if n >= SmallCell {
			if len(out) == 0 || n < out[least] {
				least = k
			}
			out[k] = n
		}
	}
	dropped := len(parts) - len(out)
	if dropped == 1 && len(out) > 0 {
		delete(out, least)
	}
	*masked = *masked || dropped > 0
	return out
}
