package relational

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// farAhead is from where on a period that has not come yet is a mistake.
const farAhead = 24 * time.Hour

func shown(ctx context.Context, q querier, ref vote.Ref) (store.Shown, error) {
	scan := func(r row) (store.Shown, error) {
		v := store.Shown{Ref: ref}
		var counts, hours string
		err := r.Scan(moment{&v.Period}, &counts, &hours)
		v.Counts, v.Hours = []byte(counts), []byte(hours)
		return v, err
	}
	return one(ctx, q, scan, `SELECT s.period, s.counts, s.hours FROM vote_shown s JOIN vote_releases r ON r.id = s.release_id
		WHERE r.product = $1 AND r.build = $2`, ref.Product, ref.Build)
}

// Shown reads what people see of votes.
func (l *Ledger) Shown(ctx context.Context, ref vote.Ref) (store.Shown, error) {
	v, err := shown(ctx, l.reader, ref)
	if err != nil {
		err = fmt.Errorf("shown votes of %s: %w", ref, err)
	}
	return v, err
}

// Show writes what people see of votes, if it is their turn to see something
// newer.
func (l *Ledger) Show(ctx context.Context, s store.Shown) (store.Shown, error) {
	var out store.Shown
	err := l.writeAside(ctx, "show votes", func(tx *sql.Tx) error {
		v, err := l.holdVotes(ctx, tx, s.Ref)
		if err != nil {
			return err
		}
		hours := string(s.Hours)
		if !v.Closed.IsZero() {
			hours = ""
		}
		n, err := changed(ctx, tx, `INSERT INTO vote_shown (release_id, period, counts, hours) VALUES ($1, $2, $3, $4)
			ON CONFLICT (release_id) DO UPDATE SET period = excluded.period, counts = excluded.counts, hours = excluded.hours
			WHERE vote_shown.period < excluded.period OR vote_shown.period > $5`,
			v.id, seconds(s.Period), string(s.Counts), hours, seconds(s.Period.Add(farAhead)))
		if err == nil && n > 0 {
			err = keep(ctx, tx, v, store.ShownAt{Period: s.Period, Totals: s.Totals})
		}
		if err == nil {
			out, err = shown(ctx, tx, s.Ref)
		}
		return err
	})
	return out, err
}
