package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// evidence writes the bundle of a rollout. It holds rows about others too, for
// the chain to be followed, so it takes the right to read the whole log.
func (a *API) evidence(c *gin.Context) {
	r, err := a.rollout(c, auth.Read)
	if err == nil {
		err = identity(c).CheckEverywhere(auth.Read)
	}
	var data []byte
	if err == nil {
		data, err = a.bundle(c.Request.Context(), r.ID)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Disposition", `attachment; filename="`+string(r.ID)+`.evidence.json"`)
	c.Data(http.StatusOK, "application/json", data)
}

// bundle reads everything, again if something moved meanwhile: what is in it
// must be of one moment.
func (a *API) bundle(ctx context.Context, id manifests.Name) ([]byte, error) {
	const tries = 10
	for range tries {
		r, err := a.Rollouts.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		issued := a.issued()
		data, err := a.bundleOf(ctx, &r)
		if err != nil {
			return nil, err
		}
		again, err := a.Rollouts.Get(ctx, id)
		if err != nil || again.Version == r.Version && a.issued() == issued {
			return data, err
		}
	}
	return nil, store.ErrBusy
}

// issued is the version of the snapshot that is published.
func (a *API) issued() int64 {
	if t := a.Tree.Tree(); t != nil {
		return t.Snapshot
	}
	return 0
}

func (a *API) bundleOf(ctx context.Context, r *rollout.Rollout) ([]byte, error) {
	ref := vote.Ref{Product: r.Plan.Product, Build: r.Plan.Build}
	b := evidence.Bundle{
		Spec: evidence.Spec, ID: r.ID, Product: ref.Product, Build: ref.Build, Made: manifests.At(a.Now()),
		Rollout: rolloutOf(r), ApprovalShare: a.Rollouts.ApprovalShare,
	}
	shown, err := a.Votes.Shown(ctx, ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	b.Counts = shown.Evidence(rollout.Grace(&r.Plan, a.Rollouts.Grace))
	if b.Files, err = a.Tree.Proof(ctx, ref.Product, ref.Build); err != nil {
		return nil, err
	}
	if b.Rows, b.Head, err = a.rows(ctx, string(r.ID)); err != nil {
		return nil, err
	}
	return b.Encode()
}

// rows gives the log from the first entry about a subject to the last, and the
// head of the whole.
func (a *API) rows(ctx context.Context, subject string) ([]evidence.Row, evidence.Head, error) {
	own, err := a.Ledger.Entries(ctx, store.EntryQuery{Subject: subject})
	if err != nil {
		return nil, evidence.Head{}, err
	}
	var out []evidence.Row
	if len(own) == 0 {
		return nil, evidence.Head{}, store.ErrNotFound
	}
	first, last := own[0].Seq, own[len(own)-1].Seq
	var head audit.Entry
	for after := first - 1; ; after = head.Seq {
		page, err := a.Ledger.Entries(ctx, store.EntryQuery{After: after, Limit: 1000})
		if err != nil {
			return nil, evidence.Head{}, err
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if e.Seq <= last {
				out = append(out, evidence.Row{Entry: e})
			}
		}
		head = page[len(page)-1]
	}
	return out, evidence.Head{Seq: head.Seq, Hash: head.Hash}, nil
}
