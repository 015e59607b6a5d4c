package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests/vote"
)

func (a *API) enrol(c *gin.Context) {
	r, err := vote.ParseEnrol(body(c))
	if err == nil {
		err = a.Votes.Enrol(c.Request.Context(), r)
	}
	a.done(c, err)
}

func (a *API) withdraw(c *gin.Context) {
	r, err := vote.ParseWithdraw(body(c))
	if err == nil {
		err = a.Votes.Withdraw(c.Request.Context(), r)
	}
	a.done(c, err)
}

func (a *API) issue(c *gin.Context) {
	r, err := vote.ParseIssue(body(c))
	if err != nil {
		a.fail(c, err)
		return
	}
	answer, err := a.Votes.Issue(c.Request.Context(), r)
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, answer)
}

func (a *API) cast(c *gin.Context) {
	r, err := vote.ParseCast(body(c))
	if err == nil {
		err = a.Votes.Cast(c.Request.Context(), r)
	}
	if err != nil {
		a.refused.Add(1)
	}
	a.done(c, err)
}

func (a *API) labReport(c *gin.Context) {
	r, err := vote.ParseLab(body(c))
	if err == nil {
		err = a.Votes.ReportLab(c.Request.Context(), r)
	}
	a.done(c, err)
}

func (a *API) done(c *gin.Context, err error) {
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	c.Status(http.StatusNoContent)
}
