package votes

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
)

// Evidence gives counts in the form in which they are judged: attempts are due
// after the grace time given.
func (c Counts) Evidence(grace time.Duration) verdict.Counts {
	due, silent := c.silence(grace)
	return verdict.Counts{
		Attempts: c.Attempts, Trials: c.Trials, Healthy: c.Healthy, RolledBack: c.RolledBack, Regressions: c.Regressions,
		Declined: c.Declined, NotTried: c.NotTried, Reasons: c.Reasons[vote.Trial],
		Due: due, Silent: silent, Issued: c.Issued, Revoked: c.Revoked,
	}
}

// LabFailures gives what lab handsets that nobody muted reported against a
// release, the oldest first.
func (s *Service) LabFailures(ctx context.Context, ref vote.Ref) ([]verdict.LabFailure, error) {
	reports, err := s.Ledger.LabReports(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("lab reports of %s: %w", ref, err)
	}
	var out []verdict.LabFailure
	for _, r := range reports {
		v, err := vote.OfCell(r.Class, r.Cell)
		if err != nil {
			return nil, fmt.Errorf("lab reports of %s: %w", ref, err)
		}
		if r.Muted || !v.Failed(r.Class) {
			continue
		}
		out = append(out, verdict.LabFailure{Handset: hex.EncodeToString(r.DeviceKey[:6]), Class: r.Class, Reason: v.Reason, At: r.At})
	}
	return out, nil
}
