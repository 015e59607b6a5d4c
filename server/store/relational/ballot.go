package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// CastVote counts a vote.
func (l *Ledger) CastVote(ctx context.Context, v store.Ballot) error {
	if err := l.group.submit(ctx, &job{cast: &v}); err != nil {
		return fmt.Errorf("cast vote: %w", err)
	}
	return nil
}

// RecordIssue records that a token is given out.
func (l *Ledger) RecordIssue(ctx context.Context, i store.Issue) error {
	if err := l.group.submit(ctx, &job{issue: &i}); err != nil {
		return fmt.Errorf("record issue: %w", err)
	}
	return nil
}

// counter writes groups; one goroutine uses it.
type counter struct {
	l   *Ledger
	ids map[vote.Ref]int64 // of releases with votes; they never change
}

func newCounter(l *Ledger) *counter { return &counter{l: l, ids: map[vote.Ref]int64{}} }

// write writes a group in one transaction and leaves its answer in each job.
// Doing it twice is harmless: what was counted is found again.
func (c *counter) write(ctx context.Context, jobs []*job) error {
	err := c.l.repeat(ctx, c.l.counter, true, func(tx *sql.Tx) error {
		b := batch{counter: c, tx: tx}
		return b.write(ctx, jobs)
	})
	if err != nil {
		return fmt.Errorf("group commit: %w", err)
	}
	return nil
}

// batch is one attempt at a group.
type batch struct {
	*counter
	tx       *sql.Tx
	releases map[vote.Ref]voteRelease
	cells    tally[cellKey]
	hours    tally[hourKey]
	issued   tally[issuedKey]
}

func (b *batch) write(ctx context.Context, jobs []*job) error {
	if err := b.hold(ctx, jobs); err != nil {
		return err
	}
	if err := b.spend(ctx, jobs); err != nil {
		return err
	}
	if err := b.draw(ctx, jobs); err != nil {
		return err
	}
	return b.flush(ctx)
}

func (j *job) ref() (vote.Ref, vote.Set) {
	if j.cast != nil {
		return j.cast.Ref, j.cast.Set
	}
	return j.issue.Ref, j.issue.Set
}

// hold reads how the votes of each release stand, in the transaction that
// counts and after nobody can close them any more: a vote never lands after
// the closing. Jobs that are not for now get their answer.
func (b *batch) hold(ctx context.Context, jobs []*job) error {
	var ids []int64
	b.releases = map[vote.Ref]voteRelease{}
	for _, j := range jobs {
		ref, _ := j.ref()
		if _, known := b.releases[ref]; known {
			continue
		}
		b.releases[ref] = voteRelease{}
		if b.ids[ref] == 0 {
			v, err := votesOf(ctx, b.tx, ref)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return err
			}
			b.ids[ref] = v.id
		}
		ids = append(ids, b.ids[ref])
	}
	slices.Sort(ids)
	if err := b.l.dialect.Hold(ctx, b.tx, ids...); err != nil {
		return err
	}
	for ref := range b.releases {
		if b.ids[ref] == 0 {
			continue
		}
		v, err := votesOf(ctx, b.tx, ref)
		if err != nil {
			return err
		}
		b.releases[ref] = v
	}
	for _, j := range jobs {
		j.answer = b.refusal(j)
	}
	return nil
}

func (b *batch) refusal(j *job) error {
	ref, set := j.ref()
	v := b.releases[ref]
	switch {
	case v.id == 0:
		return fmt.Errorf("votes of %s: %w", ref, store.ErrNotFound)
	case !v.Closed.IsZero():
		return fmt.Errorf("%s: %w", ref, store.ErrClosed)
	case v.Active != set:
		return fmt.Errorf("%s: %w", ref, store.ErrRetired)
	}
	return nil
}

func (b *batch) count(release int64, v *store.Ballot) {
	b.cells.add(cellKey{release, v.Set, v.Class, v.Cell})
	if v.Class == vote.Attempt {
		b.hours.add(hourKey{release, v.Set, v.Hour})
	}
}

// draw writes the issue records and counts those that are new.
func (b *batch) draw(ctx context.Context, jobs []*job) error {
	type key struct {
		release int64
		set     vote.Set
		class   vote.Class
		tag     store.Tag
	}
	keyOf := func(i *store.Issue) key { return key{b.releases[i.Ref].id, i.Set, i.Class, i.Tag} }
	var rows []Drawn
	first := map[key]int{}
	for _, j := range jobs {
		if j.issue == nil || j.answer != nil {
			continue
		}
		k := keyOf(j.issue)
		if _, twice := first[k]; !twice {
			first[k] = len(rows)
			rows = append(rows, Drawn{Release: k.release, Set: k.set, Class: k.class, Tag: k.tag, Element: j.issue.Element})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := b.l.dialect.Draw(ctx, b.tx, rows); err != nil {
		return err
	}
	for _, j := range jobs {
		if j.issue == nil || j.answer != nil {
			continue
		}
		r := &rows[first[keyOf(j.issue)]]
		if !r.Old {
			r.Old, r.Stored = true, r.Element
			b.issued.add(issuedKey{r.Release, r.Set, r.Class, j.issue.Batch})
		} else if r.Stored != j.issue.Element {
			j.answer = store.ErrConflict
		}
	}
	return nil
}

// The counters that a group adds up in memory and writes once.
type (
	cellKey struct {
		release int64
		set     vote.Set
		class   vote.Class
		cell    vote.Cell
	}
	hourKey struct {
		release int64
		set     vote.Set
		hour    store.Hour
	}
	issuedKey struct {
		release int64
		set     vote.Set
		class   vote.Class
		batch   manifests.Name
	}
)
