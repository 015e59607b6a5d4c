package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

const historyColumns = `period, attempts, healthy, rolled_back, regressions, declined, not_tried, due, silent`

func scanShownAt(r row) (v store.ShownAt, err error) {
	return v, r.Scan(moment{&v.Period}, &v.Attempts, &v.Healthy, &v.RolledBack, &v.Regressions, &v.Declined, &v.NotTried, &v.Due, &v.Silent)
}

// ShownSince reads the history of a release.
func (l *Ledger) ShownSince(ctx context.Context, ref vote.Ref, since time.Time) ([]store.ShownAt, error) {
	list, err := all(ctx, l.reader, scanShownAt, `SELECT `+historyColumns+` FROM vote_history
		WHERE release_id = (SELECT id FROM vote_releases WHERE product = $1 AND build = $2) AND period >= $3 ORDER BY period`,
		ref.Product, ref.Build, seconds(since))
	if err != nil {
		err = fmt.Errorf("history of the votes of %s: %w", ref, err)
	}
	return list, err
}

// keep adds to the history of a release what is shown from now on.
func keep(ctx context.Context, tx *sql.Tx, v voteRelease, now store.ShownAt) error {
	// What a clock that was ahead has left there is not to come.
	if _, err := tx.ExecContext(ctx, `DELETE FROM vote_history WHERE release_id = $1 AND period >= $2`, v.id, seconds(now.Period)); err != nil {
		return err
	}
	last, err := one(ctx, tx, scanShownAt, `SELECT `+historyColumns+` FROM vote_history WHERE release_id = $1 ORDER BY period DESC LIMIT 1`, v.id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	closed := !v.Closed.IsZero()
	if closed { // nobody is silent any more; what was known of it stays
		now.Due, now.Silent = last.Due, last.Silent
	}
	if now.Totals == last.Totals {
		return nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO vote_history (release_id, `+historyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		v.id, seconds(now.Period), now.Attempts, now.Healthy, now.RolledBack, now.Regressions, now.Declined, now.NotTried, now.Due, now.Silent)
	switch {
	case err != nil:
		return err
	case closed:
		return thinAll(ctx, tx, v.id)
	case last.Period.Truncate(time.Hour).Equal(now.Period.Truncate(time.Hour)):
		return nil // looked through once an hour
	}
	return thin(ctx, tx, v.id, now.Period)
}

// thin leaves of old rows the last of each minute, hour or day.
func thin(ctx context.Context, tx *sql.Tx, release int64, now time.Time) error {
	for _, t := range []struct{ older, each time.Duration }{
		{store.HistoryWhole, time.Minute},
		{store.HistoryMinutes, time.Hour},
		{store.HistoryHours, day},
	} {
		if err := lastOfEach(ctx, tx, release, now.Add(-t.older), t.each); err != nil {
			return err
		}
	}
	return nil
}

// thinAll leaves the last row of each day, for votes that have closed.
func thinAll(ctx context.Context, tx *sql.Tx, release int64) error {
	return lastOfEach(ctx, tx, release, time.Unix(1<<40, 0), day)
}

const day = 24 * time.Hour

// lastOfEach leaves of the rows from before a moment the last of each stretch
// of time.
func lastOfEach(ctx context.Context, tx *sql.Tx, release int64, before time.Time, each time.Duration) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM vote_history WHERE release_id = $1 AND period < $2 AND EXISTS (
		SELECT 1 FROM vote_history l WHERE l.release_id = vote_history.release_id
		AND l.period > vote_history.period AND l.period < (vote_history.period / $3 + 1) * $3)`,
		release, seconds(before), int64(each/time.Second))
	return err
}
