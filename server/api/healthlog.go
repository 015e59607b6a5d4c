package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/server/store"
)

// step is what an entry of the audit log says of a rollout: where it led, and
// the evidence at that moment.
type step struct {
	at     time.Time
	why    string
	Action string             `json:"action"`
	State  string             `json:"state"`
	Stage  int                `json:"stage"`
	Share  manifests.SharePPM `json:"sharePPM"`
	// Evidence is nil before the start.
	Evidence *verdict.Evidence `json:"evidence"`
}

// steps reads the changes of a rollout, the oldest first.
func (a *API) steps(ctx context.Context, id string) ([]step, error) {
	rows, err := a.Ledger.Entries(ctx, store.EntryQuery{Subject: id})
	if err != nil {
		return nil, err
	}
	var out []step
	for i := range rows {
		s := step{at: rows[i].At, why: rows[i].Why}
		if len(rows[i].Detail) > 0 {
			if err := json.Unmarshal(rows[i].Detail, &s); err != nil {
				return nil, fmt.Errorf("audit entry %d: %w", rows[i].Seq, err)
			}
		}
		if s.Action != "" {
			out = append(out, s)
		}
	}
	return out, nil
}

// opened is the share that was open from each moment on. A pause and a halt are
// steps as well: nobody new installs from then on, and the share stays what it
// was.
func (x *checkup) opened() []contract.ShareStep {
	out := []contract.ShareStep{}
	var before step
	for _, s := range x.log {
		if s.Share == 0 || s.Share == before.Share && s.State == before.State {
			continue
		}
		before = s
		why := s.Action
		if s.why != "" {
			why += ": " + s.why
		}
		out = append(out, contract.ShareStep{At: s.at, SharePPM: int(s.Share), Stage: &s.Stage, Why: &why})
	}
	return out
}

// pace is what the engineers signed as the most from each moment on; empty if
// they do not sign the build any more.
func (x *checkup) pace() []contract.ShareStep {
	out := []contract.ShareStep{}
	if m := x.known.Release; m != nil {
		for _, p := range m.Pace {
			out = append(out, contract.ShareStep{At: m.NotBefore.Add(p.After.Duration), SharePPM: int(p.MaxShare)})
		}
	}
	return out
}

// beforeOf is the release before when it left the share that is open now, or as
// it stands where it never stood there.
func (a *API) beforeOf(ctx context.Context, x *checkup) (*contract.BeforeHealth, error) {
	o := x.known.Before
	if o == nil || x.known.Votes.Before == nil {
		return nil, nil
	}
	share, counts, same := x.Plan.Stages[x.Stage].Share, *x.known.Votes.Before, false
	for _, s := range x.before {
		if s.Evidence != nil && s.Evidence.Share == share {
			counts, same = s.Evidence.Counts, true
		}
	}
	if !same {
		share = o.Plan.Stages[o.Stage].Share
	}
	id, limit := string(o.ID), o.Plan.Guard.FailureLimit()
	rate := rateOf(counts.RolledBack, counts.Trials, limit)
	version, err := a.versionOf(ctx, refOf(o), nil)
	return &contract.BeforeHealth{
		Build: int64(o.Plan.Build), Version: version, Rollout: &id, SharePPM: int(share), SameShare: &same, Counts: countsOf(counts), Rate: &rate,
	}, err
}
