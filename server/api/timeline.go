package api

import (
	"encoding/json"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

// timeline tells everything that was done to a rollout, and every decision of
// the engine with the numbers behind it.
func (a *API) timeline(c *gin.Context) {
	r, err := a.rollout(c, auth.Read)
	var rows []store.Entry
	if err == nil {
		rows, err = a.Ledger.Entries(c.Request.Context(), store.EntryQuery{Subject: string(r.ID)})
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	out := contract.Timeline{Entries: []contract.TimelineEntry{}}
	for i := range rows {
		row, err := timelineEntry(&rows[i])
		if err != nil {
			a.fail(c, err)
			return
		}
		out.Entries = append(out.Entries, row)
	}
	a.reply(c, out, nil)
}

func timelineEntry(e *store.Entry) (contract.TimelineEntry, error) {
	out := contract.TimelineEntry{Seq: e.Seq, At: e.At, Who: e.Who, What: e.What}
	if e.Why != "" {
		out.Why = &e.Why
	}
	if len(e.Detail) > 0 {
		detail := map[string]any{}
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			return out, err
		}
		out.Detail = &detail
	}
	return out, nil
}
