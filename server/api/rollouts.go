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
	r, known, d, err := a.Rollouts.Look(c.Request.Context(), r.ID)
	if err != nil {
		a.fail(c, err)
		return
	}
	a.show(c, http.StatusOK, &r, func(out *contract.Rollout) {
		out.Outlook = outlookOf(d)
		if next := r.NextStage(); next < len(r.Plan.Stages) {
			n := r.Missing(next, known.ApprovalShare)
			out.MissingApprovals = &n
		}
		needed := []int{}
		for stage := range r.Plan.Stages {
			needed = append(needed, r.Needed(stage, known.ApprovalShare))
		}
		out.Needed = &needed
		if known.Release != nil {
			out.ReleaseVersion = &known.Release.Version
		}
	})
}

func (a *API) createRollout(c *gin.Context) {
	plan, err := policy.ParsePlan(body(c))
	if err == nil {
		err = identity(c).Check(auth.Operate, plan.Product)
	}
	var r rollout.Rollout
	if err == nil {
		r, err = a.Rollouts.CreateOnce(c.Request.Context(), onceKey(c), person(c), plan)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	a.show(c, http.StatusCreated, &r)
}

func (a *API) editRollout(c *gin.Context) {
	r, err := a.rollout(c, auth.Operate)
	var plan *policy.Plan
	if err == nil {
		plan, err = policy.ParsePlan(body(c))
	}
	var version int64
	if err == nil {
		version, err = ifMatch(c.GetHeader("If-Match"))
	}
	if err == nil {
		r, err = a.Rollouts.Edit(c.Request.Context(), r.ID, version, person(c), plan)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	a.show(c, http.StatusOK, &r)
}

// person is who acts, for rules that tell two people apart.
func person(c *gin.Context) rollout.Person {
	who := identity(c)
	return rollout.Person{ID: who.Person(), Name: who.Who()}
}

// permissionOf is what an action takes.
func permissionOf(a rollout.Action) auth.Permission {
	switch a {
	case rollout.Halt, rollout.Pause, rollout.Note: // whoever may stop it may explain it
		return auth.Halt
	case rollout.Approve, rollout.Reject:
		return auth.Approve
	}
	return auth.Operate
}

func (a *API) changeRollout(c *gin.Context) {
	action := rollout.Action(c.Param("action"))
	r, err := a.rollout(c, permissionOf(action))
	if err != nil {
		a.fail(c, err)
		return
	}
	change := rollout.Change{ID: r.ID, Action: action, By: person(c), Key: onceKey(c)}
	in, err := decode[contract.Change](c)
	if err == nil {
		if in.Reason != nil {
			change.Reason = *in.Reason
		}
		change.UpTo, change.BreakGlass = in.UpTo, in.BreakGlass != nil && *in.BreakGlass
		if change.BreakGlass && identity(c).Check(auth.BreakGlass, r.Plan.Product) != nil {
			err = &refusal{code: contract.CodeBreakGlass, detail: "only an admin may break the glass", field: "breakGlass"}
		}
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
	a.show(c, http.StatusOK, &r)
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
