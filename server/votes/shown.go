package votes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// picture is what this process knows of what is shown.
type picture struct {
	sync.Mutex
	counts Counts
	period time.Time // zero: nothing yet
}

// Shown gives the counts for people: as they stood when the running period
// (ShowEvery) was first looked at, so that no report can be watched as it
// lands, and with everything finer than the totals left out below SmallCell.
// The ledger keeps them, so all servers show the same, and so does one that
// was started anew.
func (s *Service) Shown(ctx context.Context, ref vote.Ref) (Counts, error) {
	if _, err := s.Ledger.VoteRelease(ctx, ref); err != nil {
		return Counts{}, err // nothing is kept for a release that is not there
	}
	if s.ShowEvery < time.Second {
		c, err := s.Counts(ctx, ref)
		return c.masked(), err
	}
	held, _ := s.shown.LoadOrStore(ref, &picture{})
	p := held.(*picture)
	p.Lock()
	defer p.Unlock()
	period := s.Now().Truncate(s.ShowEvery)
	if p.period.Equal(period) {
		return p.counts, nil
	}
	c, err := s.see(ctx, ref, period)
	if err != nil {
		return Counts{}, err
	}
	p.counts, p.period = c, period
	return c, nil
}

// see gives what is shown in a period, and decides it if nobody has.
func (s *Service) see(ctx context.Context, ref vote.Ref, period time.Time) (Counts, error) {
	now, err := s.Ledger.Shown(ctx, ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Counts{}, err
	}
	if err != nil || !now.Period.Equal(period) {
		c, err := s.Counts(ctx, ref)
		if err != nil {
			return Counts{}, err
		}
		next := store.Shown{Ref: ref, Period: period, Totals: c.totals()}
		if next.Counts, next.Hours, err = c.masked().encode(); err != nil {
			return Counts{}, err
		}
		if now, err = s.Ledger.Show(ctx, next); err != nil {
			return Counts{}, err
		}
	}
	return decode(ref, now)
}

// totals are what the history keeps.
func (c *Counts) totals() store.Totals {
	return store.Totals{
		Attempts: c.Attempts, Healthy: c.Healthy, RolledBack: c.RolledBack, Regressions: c.Regressions,
		Declined: c.Declined, NotTried: c.NotTried, Due: c.Due, Silent: c.Silent,
	}
}

// History gives what was shown of a release from a moment on (zero: from the
// beginning), the oldest first: a row for each period in which it changed, old
// ones thinned out (store.HistoryWhole). Empty where the counts move on at each
// call.
func (s *Service) History(ctx context.Context, ref vote.Ref, since time.Time) ([]store.ShownAt, error) {
	return s.Ledger.ShownSince(ctx, ref, since)
}

func (c Counts) encode() (counts, hours []byte, err error) {
	if counts, err = json.Marshal(c); err == nil {
		hours, err = json.Marshal(c.hours)
	}
	return counts, hours, err
}

// decode reads what encode wrote. Without hours the votes have closed: nobody is
// silent then.
func decode(ref vote.Ref, s store.Shown) (c Counts, err error) {
	if err = json.Unmarshal(s.Counts, &c); err == nil && len(s.Hours) > 0 {
		err = json.Unmarshal(s.Hours, &c.hours)
	}
	if err != nil {
		return Counts{}, fmt.Errorf("shown votes of %s: %w", ref, err)
	}
	if len(s.Hours) == 0 {
		c.Due, c.Silent = 0, 0
	}
	return c, nil
}
