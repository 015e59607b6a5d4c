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

// The states of rollouts that are not over, for lists.
var (
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

// leastPage is how many rollouts are read at once: those of another channel, or
// of products that the caller may not see, are left out afterwards.
const leastPage = 100

// listRollouts gives a page of the rollouts; all of them where no limit is
// asked for.
func (a *API) listRollouts(c *gin.Context) {
	q, limit, err := pageOf(c)
	out := contract.RolloutList{Rollouts: []contract.Rollout{}}
	if err == nil && limit == 0 && len(q.States) == 0 && q.Search == "" && q.Before == (store.RolloutMark{}) {
		err = a.allRollouts(c, q.Product, &out)
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
		if q.Product, err = manifests.ParseProduct(text); err != nil {
			return bad("product", err.Error())
		}
	}
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

// readable tells whether a rollout is one that the caller asked for and may see.
func readable(c *gin.Context, r *rollout.Rollout) bool {
	channel := c.Query("channel")
	return (channel == "" || channel == string(r.Plan.Channel)) && identity(c).Check(auth.Read, r.Plan.Product) == nil
}

func (a *API) allRollouts(c *gin.Context, product manifests.Product, out *contract.RolloutList) error {
	list, err := a.Rollouts.List(c.Request.Context(), product)
	for i := range list {
		if readable(c, &list[i]) {
			out.Rollouts = append(out.Rollouts, rolloutOf(&list[i]))
		}
	}
	return err
}

// pageOfRollouts reads on until a page is full.
func (a *API) pageOfRollouts(c *gin.Context, q store.RolloutQuery, limit int, out *contract.RolloutList) error {
	var last store.RolloutMark
	if limit > 0 {
		q.Limit = max(limit+1, leastPage)
	}
	for {
		list, err := a.Rollouts.Page(c.Request.Context(), q)
		if err != nil {
			return err
		}
		for i := range list {
			r := &list[i]
			if !readable(c, r) {
				continue
			}
			if limit > 0 && len(out.Rollouts) == limit {
				next := markText(last)
				out.Next = &next
				return nil
			}
			out.Rollouts, last = append(out.Rollouts, rolloutOf(r)), markOf(r)
		}
		if q.Limit == 0 || len(list) < q.Limit {
			return nil
		}
		q.Before = markOf(&list[len(list)-1])
	}
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
	list, err := a.Rollouts.Page(ctx, store.RolloutQuery{States: texts(states...), Limit: limit})
	return slices.DeleteFunc(list, func(r rollout.Rollout) bool { return who.Check(auth.Read, r.Plan.Product) != nil }), err
}
