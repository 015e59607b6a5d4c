package api

import (
	"math"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/server/store"
)

// maxPoints is how many points a series has at most: more than a screen tells
// apart. What is left out lies evenly between the others.
const maxPoints = 500

// points are the rows of the history from when the rollout was opened on, and
// the newest reading. After a resumption the band is that of what is judged.
func (x *checkup) points() []contract.HealthPoint {
	out := []contract.HealthPoint{}
	steps := x.opened()
	if len(steps) == 0 {
		return out
	}
	rows := x.history
	for len(rows) > 1 && !rows[1].Period.After(steps[0].At) {
		rows = rows[1:]
	}
	if now := x.now(); !x.unheard && (len(rows) == 0 || rows[len(rows)-1].Period.Before(now.Period)) {
		rows = append(rows[:len(rows):len(rows)], now)
	}
	rows = evenly(rows, maxPoints)
	for _, row := range rows {
		at := row.Period
		if at.Before(steps[0].At) { // it stood so when the rollout was opened
			at = steps[0].At
		}
		p := contract.HealthPoint{
			At: at, Attempts: row.Attempts, Trials: row.Trials(), Failed: row.RolledBack, Silent: row.Silent, SharePPM: shareAt(steps, at),
		}
		failed, of := p.Failed, p.Trials
		if x.Acquitted != nil && !at.Before(x.Resumed.Time) {
			failed, of = failed-x.Acquitted.RolledBack, of-x.Acquitted.Trials
		}
		if failed >= 0 && of > 0 {
			p.LowPPM, p.HighPPM = bandOf(failed, of)
		}
		out = append(out, p)
	}
	return out
}

// now is the newest reading as a row of the history.
func (x *checkup) now() store.ShownAt {
	c := x.counts
	return store.ShownAt{Period: x.shown.At.Truncate(time.Second), Totals: store.Totals{
		Attempts: c.Attempts, Healthy: c.Healthy, RolledBack: c.RolledBack, Regressions: c.Regressions,
		Declined: c.Declined, NotTried: c.NotTried, Due: c.Due, Silent: c.Silent,
	}}
}

// evenly leaves n of some rows, the first and the last among them.
func evenly[T any](rows []T, n int) []T {
	if len(rows) <= n {
		return rows
	}
	out := make([]T, n)
	for i := range out {
		out[i] = rows[i*(len(rows)-1)/(n-1)]
	}
	return out
}

func shareAt(steps []contract.ShareStep, at time.Time) int {
	share := 0
	for _, s := range steps {
		if !s.At.After(at) {
			share = s.SharePPM
		}
	}
	return share
}

// maxLines is how many points the lines of the test are drawn through.
const maxLines = 60

// linesOf gives the lines of the test of failures, to where a build without a
// failure passes and well past what was counted.
func linesOf(r verdict.Rules, trials int64) []contract.TestLine {
	end := int64(50)
	if n, ok := verdict.VotesToPass(r.Pass, 0); ok {
		end = max(end, n+n/4)
	}
	end = max(end, trials+trials/2)
	out := []contract.TestLine{}
	for i, last := int64(0), int64(-1); i <= maxLines; i++ {
		n := end * i / maxLines
		if n == last {
			continue
		}
		last = n
		line := r.Line(n)
		one := contract.TestLine{Of: n}
		if line.HaltsAt <= n {
			one.HaltsAt = &line.HaltsAt
		}
		if line.PassesAt >= 0 {
			one.PassesAt = &line.PassesAt
		}
		out = append(out, one)
	}
	return out
}

// blast is how many handsets the build could harm, and how many it has, as far
// as the plan says how large the fleet is and tokens say who reports.
func (x *checkup) blast() contract.Blast {
	out := contract.Blast{SharePPM: int(x.Share())}
	b := x.Plan.Budget
	if b == nil {
		return out
	}
	fleet, most, reached := int64(b.Fleet), int64(b.MaxHarmed), int64(b.Handsets(x.Share()))
	out.Fleet, out.MaxHarmed, out.Reached = &fleet, &most, &reached
	if harmed, ok := harmedOf(x.counts, b, reached); ok {
		out.Harmed = &harmed
	}
	return out
}

// harmedOf scales failures and suspected bricks up by the share of owners who
// report: every handset that reports asks for a token, in share or not. Unknown
// where nobody has asked for one.
func harmedOf(c verdict.Counts, b *policy.Budget, reached int64) (int64, bool) {
	reporting := float64(c.Issued-c.Revoked) / float64(b.Fleet)
	if reporting <= 0 {
		return 0, false
	}
	told := c.RolledBack + c.Regressions + c.Silent
	harmed := int64(math.Ceil(float64(told) / min(reporting, 1)))
	return max(told, min(harmed, reached)), true
}
