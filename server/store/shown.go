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
	// Totals are what the history of the release keeps of it. Shown leaves them
	// out.
	Totals Totals
}

// Totals are what was counted of a release, as it was shown. Due and Silent are
// those of the service's own grace time.
type Totals struct {
	Attempts, Healthy, RolledBack, Regressions, Declined, NotTried, Due, Silent int64
}

// Trials are the outcomes.
func (t Totals) Trials() int64 { return t.Healthy + t.RolledBack }

// ShownAt is one row of a history: from Period on these totals were shown,
// until the row after it.
type ShownAt struct {
	Period time.Time
	Totals
}

// How finely a history is kept, by the age of its rows: all for a while, then
// the last of each minute, of each hour, and of each day. At a period of an
// hour that is 30 rows a day for a month and one a day from then on; at a
// period of a second some ten thousand at most, and one a day. Once the votes
// have closed only the last of each day is left: the hours of attempts go then,
// and totals of every hour would give them back.
const (
	HistoryWhole   = 2 * time.Hour
	HistoryMinutes = 24 * time.Hour
	HistoryHours   = 30 * 24 * time.Hour
)

// Shows keeps what is shown of votes, one for all servers of a ledger.
type Shows interface {
	// Shown is ErrNotFound if nothing was ever shown.
	Shown(ctx context.Context, ref vote.Ref) (Shown, error)
	// Show shows s unless something of its period or of a later one is shown
	// already, and gives what is shown then. A period that begins more than a
	// day after s's was written by a clock that was wrong, and counts as an
	// earlier one. ErrNotFound: no votes were ever taken on the release. What is
	// shown by it, its history keeps, if the totals have changed.
	Show(ctx context.Context, s Shown) (Shown, error)
	// ShownSince gives the history of a release from a moment on, the oldest
	// first; the zero time is the beginning.
	ShownSince(ctx context.Context, ref vote.Ref, since time.Time) ([]ShownAt, error)
}
