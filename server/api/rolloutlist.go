package api

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// The states of rollouts that are not over, for lists, and those in which
// handsets hear of one and it may still do something.
var (
	alive     = []policy.State{policy.Scheduled, policy.Active, policy.Held, policy.Complete}
	unstarted = []policy.State{rollout.Proposed, rollout.Approved}
	running   = []policy.State{policy.Scheduled, policy.Active, policy.Held, policy.Halted}
	openOnes  = slices.Concat([]policy.State{rollout.Draft}, unstarted, running)
)

func texts(states ...policy.State) []string {
	out := make([]string, len(states))
	for i, s := range states {
		out[i] = string(s)
	}
	return out
}

// listRollouts gives a page of the rollouts; all of them where no limit is
// asked for.
func (a *API) listRollouts(c *gin.Context) {
	q, limit, err := pageOf(c)
	out := contract.RolloutList{Rollouts: []contract.Rollout{}}
	if err == nil && limit == 0 && len(q.States) == 0 && q.Search == "" && q.Before == (store.RolloutMark{}) {
		err = a.allRollouts(c, q, &out)
	} else if err == nil {
		err = a.pageOfRollouts(c, q, limit, &out)
	}
	a.reply(c, out, err)
}

// pageOf reads what is asked for. A limit of 0 is none.
func pageOf(c *gin.Context) (store.RolloutQuery, int, error) {
	q := store.RolloutQuery{Search: c.Query("search")}
	bad := func(field, detail string) (store.RolloutQuery, int, error) {
		return q, 0, &refusal{code: contract.CodeBadRequest, detail: detail, field: field}
	}
	var err error
	if text := c.Query("product"); text != "" {
		product, err := manifests.ParseProduct(text)
		if err != nil {
			return bad("product", err.Error())
		}
		q.Products = []manifests.Product{product}
	}
	q.Channel = manifests.Name(c.Query("channel"))
	if c.Query("open") == "true" {
		q.States = texts(openOnes...)
	}
	if state := c.Query("state"); state != "" {
		if len(q.States) > 0 && !slices.Contains(q.States, state) {
			state = "none" // which is open and over at once
		}
		q.States = []string{state}
	}
	limit, err := strconv.Atoi(c.DefaultQuery("limit", "0"))
	if err != nil {
		return bad("limit", "is not a whole number")
	}
	if text := c.Query("before"); text != "" {
		if q.Before, err = parseMark(text); err != nil {
			return bad("before", err.Error())
		}
	}
	return q, limit, nil
}

// allRollouts gives the rollouts of a product, or of all, the newest builds first.
func (a *API) allRollouts(c *gin.Context, q store.RolloutQuery, out *contract.RolloutList) error {
	var product manifests.Product
	if len(q.Products) > 0 {
		product = q.Products[0]
	}
	list, err := a.Rollouts.List(c.Request.Context(), product)
	for i := range list {
		r := &list[i]
		if (q.Channel == "" || q.Channel == r.Plan.Channel) && identity(c).Check(auth.Read, r.Plan.Product) == nil {
			out.Rollouts = append(out.Rollouts, rolloutOf(r))
		}
	}
	return err
}

// pageOfRollouts reads a page, and one rollout more if there is another page.
func (a *API) pageOfRollouts(c *gin.Context, q store.RolloutQuery, limit int, out *contract.RolloutList) error {
	if limit > 0 {
		q.Limit = limit + 1
	}
	list, err := a.readable(c.Request.Context(), identity(c), q)
	if err != nil {
		return err
	}
	if limit > 0 && len(list) > limit {
		list = list[:limit]
		next := markText(markOf(&list[limit-1]))
		out.Next = &next
	}
	for i := range list {
		out.Rollouts = append(out.Rollouts, rolloutOf(&list[i]))
	}
	return nil
}

// readable gives those of a query that are of products which somebody may see.
// It asks the ledger for these products alone: what others have is not read, and
// takes nobody's place on a page.
func (a *API) readable(ctx context.Context, who auth.Identity, q store.RolloutQuery) ([]rollout.Rollout, error) {
	hidden := func(p manifests.Product) bool { return who.Check(auth.Read, p) != nil }
	if who.CheckEverywhere(auth.Read) == nil {
		return a.Rollouts.Page(ctx, q)
	}
	if len(q.Products) == 0 {
		all, err := a.Ledger.Products(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			q.Products = append(q.Products, p.Name)
		}
	}
	if q.Products = slices.DeleteFunc(q.Products, hidden); len(q.Products) == 0 {
		return nil, nil
	}
	return a.Rollouts.Page(ctx, q)
}

func markOf(r *rollout.Rollout) store.RolloutMark {
	return store.RolloutMark{Created: r.Created, ID: string(r.ID)}
}

// markText is the place of a rollout as callers hand it back.
func markText(m store.RolloutMark) string {
	return strconv.FormatInt(m.Created.Unix(), 10) + "." + m.ID
}

// parseMark reads what markText wrote.
func parseMark(text string) (store.RolloutMark, error) {
	wrong := &refusal{code: contract.CodeBadRequest, detail: "is not the value of next of a page before"}
	at, id, ok := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || seconds <= 0 || strconv.FormatInt(seconds, 10) != at {
		return store.RolloutMark{}, wrong
	}
	if _, err := manifests.ParseName(id); err != nil {
		return store.RolloutMark{}, wrong
	}
	return store.RolloutMark{Created: time.Unix(seconds, 0).UTC(), ID: id}, nil
}

// watched gives the rollouts that run or wait for people, the newest first, of
// products that somebody may see.
func (a *API) watched(ctx context.Context, who auth.Identity, states []policy.State, limit int) ([]rollout.Rollout, error) {
	return a.readable(ctx, who, store.RolloutQuery{States: texts(states...), Limit: limit})
}
