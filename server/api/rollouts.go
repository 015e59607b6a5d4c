package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
)

func (a *API) listRollouts(c *gin.Context) {
	var product manifests.Product
	if text := c.Query("product"); text != "" {
		var err error
		if product, err = manifests.ParseProduct(text); err != nil {
			a.fail(c, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "product"})
			return
		}
	}
	list, err := a.Rollouts.List(c.Request.Context(), product)
	out := contract.RolloutList{Rollouts: []contract.Rollout{}}
	for i := range list {
		if identity(c).Check(auth.Read, list[i].Plan.Product) == nil {
			out.Rollouts = append(out.Rollouts, rolloutOf(&list[i]))
		}
	}
	a.reply(c, out, err)
}

func rolloutOf(r *rollout.Rollout) contract.Rollout {
	channel := string(r.Plan.Channel)
	out := contract.Rollout{
		Id: string(r.ID), Product: string(r.Plan.Product), Build: int64(r.Plan.Build), Channel: &channel,
		State: contract.RolloutState(r.State), Stage: r.Stage, SharePPM: int(r.Share()), Stages: []contract.Stage{},
		Version: r.Version, Created: r.Created, Changed: r.Changed,
	}
	for _, s := range r.Plan.Stages {
		minVotes, approvals := int(s.MinVotes), int(s.Approvals)
		out.Stages = append(out.Stages, contract.Stage{SharePPM: int(s.Share), Soak: s.Soak.String(), MinVotes: &minVotes, Approvals: &approvals})
	}
	if r.Reason != "" {
		out.Reason = &r.Reason
	}
	if !r.StageSince.IsZero() {
		out.StageSince = &r.StageSince.Time
	}
	return out
}

// show answers with a rollout; its ETag is the value for If-Match.
func (a *API) show(c *gin.Context, status int, r rollout.Rollout) {
	c.Header("ETag", `"`+strconv.FormatInt(r.Version, 10)+`"`)
	c.Header("Cache-Control", "no-store")
	c.JSON(status, rolloutOf(&r))
}

// rollout reads the rollout of a path for somebody who has the permission.
func (a *API) rollout(c *gin.Context, need auth.Permission) (rollout.Rollout, error) {
	id, err := manifests.ParseName(c.Param("id"))
	if err != nil {
		return rollout.Rollout{}, &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "id"}
	}
	r, err := a.Rollouts.Get(c.Request.Context(), id)
	if err == nil {
		err = identity(c).Check(need, r.Plan.Product)
	}
	return r, err
}

func (a *API) getRollout(c *gin.Context) {
	r, err := a.rollout(c, auth.Read)
	if err != nil {
		a.fail(c, err)
		return
	}
	a.show(c, http.StatusOK, r)
}

func (a *API) createRollout(c *gin.Context) {
	plan, err := policy.ParsePlan(body(c))
	if err == nil {
		err = identity(c).Check(auth.Operate, plan.Product)
	}
	var r rollout.Rollout
	if err == nil {
		r, err = a.Rollouts.Create(c.Request.Context(), identity(c).Name, plan)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	a.show(c, http.StatusCreated, r)
}

func (a *API) changeRollout(c *gin.Context) {
	r, err := a.rollout(c, auth.Operate)
	if err != nil {
		a.fail(c, err)
		return
	}
	change := rollout.Change{ID: r.ID, Action: rollout.Action(c.Param("action")), By: identity(c).Name}
	in, err := decode[contract.Change](c)
	if err == nil && in.Reason != nil {
		change.Reason = *in.Reason
	}
	if err == nil {
		change.IfMatch, err = ifMatch(c.GetHeader("If-Match"))
	}
	if err == nil {
		r, err = a.Rollouts.Change(c.Request.Context(), change)
	}
	if err != nil {
		a.Tree.Kick() // where it is recorded but not published
		a.fail(c, err)
		return
	}
	a.Log.Info("rollout changed", "rollout", r.ID, "action", change.Action, "by", change.By, "state", r.State, "stage", r.Stage)
	a.show(c, http.StatusOK, r)
}

func ifMatch(header string) (int64, error) {
	if header == "" || header == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.Trim(header, `"`), 10, 64)
	if err != nil || n < 1 {
		return 0, &refusal{code: contract.CodeBadRequest, detail: "is not the ETag of a rollout", field: "If-Match"}
	}
	return n, nil
}
