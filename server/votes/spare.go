package votes

import (
	"context"
	"errors"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// UseSpare counts the votes on a release under its spare keys from now on, and
// from nothing: its engineers have signed that, after a leak of the master or a
// restore. What was counted under the first keys is kept apart and counts no
// more: after a leak anybody may have made it up, and after a restore it is a
// part, in which attempts stand without their trials. Again, for closed votes,
// and for a release that takes none, it does nothing.
func (s *Service) UseSpare(ctx context.Context, ref vote.Ref, e store.Entry) error {
	v, err := s.Ledger.VoteRelease(ctx, ref)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!v.Closed.IsZero() || v.Active == vote.Spare) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.Ledger.SwitchVotes(ctx, ref, vote.Spare, e)
	if errors.Is(err, store.ErrClosed) {
		return nil
	}
	return err
}

// Unsigned picks the releases whose votes are open under their spare keys
// without that their engineers have signed it, as a restore leaves them: no
// handset votes on them until then. signed tells what is signed.
func Unsigned(all []store.VoteRelease, signed func(vote.Ref) bool) []vote.Ref {
	var out []vote.Ref
	for _, v := range all {
		if v.Active == vote.Spare && v.Closed.IsZero() && !signed(v.Ref) {
			out = append(out, v.Ref)
		}
	}
	return out
}
