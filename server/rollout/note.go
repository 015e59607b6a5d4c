package rollout

import (
	"context"
	"encoding/json"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// Note is what somebody writes beside the decisions about a rollout, in any
// state, also when it is over.
const Note Action = "note"

// noted is the entry of a note in the audit log.
const noted = "rollout." + string(Note)

// remark is what the log keeps of a note. Where the rollout stood is not in it:
// a note tells no step.
type remark struct {
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	Key     string            `json:"key,omitempty"`
}

// note writes into the log and nowhere else: the version of the rollout stays,
// so that nobody's halt finds it changed, and so does the moment from which its
// votes are closed. A repeated request leaves one entry.
func (e *Engine) note(ctx context.Context, r *Rollout, c Change) error {
	if err := checkReason(true, c.Reason); err != nil {
		return err
	}
	what := remark{Product: r.Plan.Product, Build: r.Plan.Build}
	if !c.Key.IsZero() {
		what.Key = c.Key.String()
		rows, err := e.Ledger.Entries(ctx, store.EntryQuery{Subject: string(r.ID)})
		if err != nil {
			return err
		}
		for i := range rows {
			var d remark
			if rows[i].What == noted && json.Unmarshal(rows[i].Detail, &d) == nil && d.Key == what.Key {
				return nil
			}
		}
	}
	detail, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = e.Ledger.Append(ctx, store.Entry{
		At: e.Now().UTC().Truncate(time.Second), Who: c.By.Name, What: noted, Subject: string(r.ID), Why: c.Reason, Detail: detail,
	})
	return err
}
