package votes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// CloseOver closes the votes of every release that has been over for longer
// than the time given: nullifiers, records of issue and the secret of its tags
// are destroyed, the counts stay. over tells since when a release is over, zero
// if it is not. One release that cannot be closed does not keep the others
// open; it is tried again at the next call.
func (s *Service) CloseOver(ctx context.Context, after time.Duration, over func(context.Context, vote.Ref) (time.Time, error)) error {
	all, err := s.Ledger.VoteReleases(ctx)
	if err != nil {
		return fmt.Errorf("close votes: %w", err)
	}
	var errs []error
	for _, v := range all {
		if !v.Closed.IsZero() {
			continue
		}
		since, err := over(ctx, v.Ref)
		if err == nil && !since.IsZero() && s.Now().Sub(since) >= after {
			err = s.CloseRelease(ctx, v.Ref, store.Entry{At: s.Now(), Who: "server", What: "votes.close", Subject: v.Ref.String()})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("close votes of %s: %w", v.Ref, err))
		}
	}
	return errors.Join(errs...)
}
