package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// voteRelease is store.VoteRelease with the number its rows carry.
type voteRelease struct {
	store.VoteRelease
	id int64
}

const (
	voteReleaseColumns = `id, product, build, secret, active_set, opened_at, closed_at`
	selectVotes        = `SELECT ` + voteReleaseColumns + ` FROM vote_releases WHERE product = $1 AND build = $2`
)

func scanVoteRelease(r row) (v voteRelease, err error) {
	return v, r.Scan(&v.id, &v.Ref.Product, &v.Ref.Build, fixed(v.Secret[:]), &v.Active, moment{&v.Opened}, moment{&v.Closed})
}

func votesOf(ctx context.Context, q querier, ref vote.Ref) (voteRelease, error) {
	v, err := one(ctx, q, scanVoteRelease, selectVotes, ref.Product, ref.Build)
	if err != nil {
		err = fmt.Errorf("votes of %s: %w", ref, err)
	}
	return v, err
}

// OpenVotes starts the votes of a release.
func (l *Ledger) OpenVotes(ctx context.Context, v store.VoteRelease) error {
	return l.write(ctx, "open votes", func(tx *sql.Tx) error {
		if _, err := release(ctx, tx, v.Ref); err != nil {
			return fmt.Errorf("release %s: %w", v.Ref, err)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO vote_releases (`+voteReleaseColumns+`)
			SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, 0 FROM vote_releases WHERE TRUE
			ON CONFLICT (product, build) DO NOTHING`,
			v.Ref.Product, v.Ref.Build, v.Secret[:], vote.Primary, seconds(v.Opened))
		return err
	})
}

// VoteRelease reads how the votes of a release stand.
func (l *Ledger) VoteRelease(ctx context.Context, ref vote.Ref) (store.VoteRelease, error) {
	v, err := only(ctx, &l.hot, l.hot.votes, scanVoteRelease, ref.Product, ref.Build)
	if err != nil {
		err = fmt.Errorf("votes of %s: %w", ref, err)
	}
	return v.VoteRelease, err
}

// VoteReleases reads how all votes stand.
func (l *Ledger) VoteReleases(ctx context.Context) ([]store.VoteRelease, error) {
	scan := func(r row) (store.VoteRelease, error) {
		v, err := scanVoteRelease(r)
		return v.VoteRelease, err
	}
	list, err := all(ctx, l.reader, scan, `SELECT `+voteReleaseColumns+` FROM vote_releases ORDER BY id DESC`)
	if err != nil {
		err = fmt.Errorf("votes: %w", err)
	}
	return list, err
}

// holdVotes waits until nobody counts votes of the release and reads how they
// stand; nobody will until tx has ended.
func (l *Ledger) holdVotes(ctx context.Context, tx *sql.Tx, ref vote.Ref) (voteRelease, error) {
	v, err := votesOf(ctx, tx, ref)
	if err != nil {
		return v, err
	}
	if err := l.dialect.Hold(ctx, tx, v.id); err != nil {
		return v, err
	}
	return votesOf(ctx, tx, ref)
}

// SwitchVotes changes the key set in use.
func (l *Ledger) SwitchVotes(ctx context.Context, ref vote.Ref, set vote.Set, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("switch votes to the %s keys", set), func(tx *sql.Tx) error {
		v, err := l.holdVotes(ctx, tx, ref)
		switch {
		case err != nil:
			return err
		case !v.Closed.IsZero():
			return store.ErrClosed
		case v.Active == set:
			return errUnchanged
		}
		_, err = tx.ExecContext(ctx, `UPDATE vote_releases SET active_set = $1 WHERE id = $2`, set, v.id)
		return err
	})
}

// CloseVotes destroys all of the votes of a release but the counts.
func (l *Ledger) CloseVotes(ctx context.Context, ref vote.Ref, e store.Entry) error {
	err := l.audited(ctx, e, "close votes", func(tx *sql.Tx) error {
		v, err := l.holdVotes(ctx, tx, ref)
		if err != nil {
			return err
		}
		if !v.Closed.IsZero() {
			return errUnchanged
		}
		for _, statement := range []string{
			`DELETE FROM vote_marks WHERE release_id = $1`,
			`DELETE FROM vote_issues WHERE release_id = $1`,
			`DELETE FROM vote_hours WHERE release_id = $1`,
			`UPDATE vote_shown SET hours = '' WHERE release_id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, v.id); err != nil {
				return err
			}
		}
		if err := thinAll(ctx, tx, v.id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE vote_releases SET secret = NULL, closed_at = $1 WHERE id = $2`, seconds(e.At), v.id)
		return err
	})
	if err != nil {
		return err
	}
	return l.erase(ctx) // also when repeated: the first time may have ended before it
}

// erase overwrites what was deleted, as far as the engine can.
func (l *Ledger) erase(ctx context.Context) error {
	if err := l.dialect.Erase(ctx); err != nil {
		_, told := l.dialect.Judge(err)
		return fmt.Errorf("erase what was deleted: %w", told)
	}
	return nil
}

// Tally reads the counts of a set, as of one moment.
func (l *Ledger) Tally(ctx context.Context, ref vote.Ref, set vote.Set) (store.Tally, error) {
	return again(ctx, l.reader, func() (store.Tally, error) { return l.tally(ctx, ref, set) })
}

func (l *Ledger) tally(ctx context.Context, ref vote.Ref, set vote.Set) (t store.Tally, err error) {
	tx, err := l.reader.BeginTx(ctx, &l.snapshot)
	if err != nil {
		return t, fmt.Errorf("tally: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	v, err := votesOf(ctx, tx, ref)
	if err != nil {
		return t, err
	}
	t = store.Tally{
		Cells: map[vote.Class]map[vote.Cell]int64{}, Attempts: map[store.Hour]int64{},
		Issued: map[vote.Class]map[manifests.Name]int64{},
	}
	for _, part := range []struct {
		query string
		scan  func(row) (struct{}, error)
	}{
		{`SELECT class, cell, count FROM vote_cells WHERE release_id = $1 AND key_set = $2`, func(r row) (none struct{}, err error) {
			return none, scanCount(r, t.Cells)
		}},
		{`SELECT class, batch, count FROM vote_issued WHERE release_id = $1 AND key_set = $2`, func(r row) (none struct{}, err error) {
			return none, scanCount(r, t.Issued)
		}},
		{`SELECT hour, count FROM vote_hours WHERE release_id = $1 AND key_set = $2`, func(r row) (none struct{}, err error) {
			var hour store.Hour
			var n int64
			err = r.Scan(&hour, &n)
			t.Attempts[hour] = n
			return none, err
		}},
	} {
		if _, err := all(ctx, tx, part.scan, part.query, v.id, set); err != nil {
			return t, fmt.Errorf("tally of %s: %w", ref, err)
		}
	}
	return t, nil
}

func scanCount[K comparable](r row, into map[vote.Class]map[K]int64) error {
	var class vote.Class
	var key K
	var n int64
	if err := r.Scan(&class, &key, &n); err != nil {
		return err
	}
	if into[class] == nil {
		into[class] = map[K]int64{}
	}
	into[class][key] = n
	return nil
}
