package api

import (
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/store"
)

// Bounds of what is told about the versions in the field: the newest builds,
// and as many moments as a screen tells apart.
const (
	maxVersions      = 20
	maxVersionPoints = 400
)

// versions tells how many handsets have reported each build healthy, over time.
func (a *API) versions(c *gin.Context) {
	r, err := ref(c)
	ctx := c.Request.Context()
	out := contract.Versions{Product: string(r.Product), At: a.Now()}
	var list []store.Release
	if err == nil {
		_, err = a.Ledger.Product(ctx, r.Product)
	}
	if err == nil {
		list, err = a.Ledger.NewestReleases(ctx, r.Product, maxVersions)
	}
	var histories [][]store.ShownAt
	for _, have := range list {
		var rows []store.ShownAt
		if err == nil {
			rows, err = a.Votes.History(ctx, have.Ref(), time.Time{})
		}
		if len(rows) > 0 {
			histories = append(histories, rows)
			out.Builds = append(out.Builds, contract.VersionsBuild{Build: int64(have.Build), Version: have.Version})
		}
	}
	if out.Builds == nil {
		out.Builds = []contract.VersionsBuild{}
	}
	out.Points = healthyOver(histories, a.Now())
	a.reply(c, out, err)
}

// healthyOver joins histories: at each moment at which one of them moved, and
// now, what every one of them showed then.
func healthyOver(histories [][]store.ShownAt, now time.Time) []contract.VersionsPoint {
	var moments []time.Time
	for _, rows := range histories {
		for _, row := range rows {
			moments = append(moments, row.Period)
		}
	}
	out := []contract.VersionsPoint{}
	if len(moments) == 0 {
		return out
	}
	slices.SortFunc(moments, time.Time.Compare)
	if moments[len(moments)-1].Before(now) {
		moments = append(moments, now)
	}
	moments = evenly(slices.CompactFunc(moments, time.Time.Equal), maxVersionPoints)
	next := make([]int, len(histories)) // the first row that is later
	for _, at := range moments {
		p := contract.VersionsPoint{At: at, Healthy: make([]*int64, len(histories))}
		for i, rows := range histories {
			for next[i] < len(rows) && !rows[next[i]].Period.After(at) {
				next[i]++
			}
			if next[i] > 0 {
				p.Healthy[i] = &rows[next[i]-1].Healthy
			}
		}
		out = append(out, p)
	}
	return out
}
