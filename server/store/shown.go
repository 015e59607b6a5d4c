package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
)

// Shown is what people see of the votes of a release during one period. The
// ledger does not read what stands in it.
type Shown struct {
	Ref    vote.Ref
	Period time.Time // when the period began, in whole seconds
	Counts []byte    // text; stays when the votes close
	Hours  []byte    // text; empty once they have closed
}

// Shows keeps what is shown of votes, one for all servers of a ledger.
type Shows interface {
	// Shown is ErrNotFound if nothing was ever shown.
	Shown(ctx context.Context, ref vote.Ref) (Shown, error)
	// Show shows s unless something of its period or of a later one is shown
	// already, and gives what is shown then. A period that begins more than a
	// day after s's was written by a clock that was wrong, and counts as an
	// earlier one. ErrNotFound: no votes were ever taken on the release.
	Show(ctx context.Context, s Shown) (Shown, error)
}
