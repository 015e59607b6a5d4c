package api

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/events"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

// eventPage is how many events a page has unless asked otherwise.
const eventPage = 50

func (a *API) listEvents(c *gin.Context) {
	q := store.EventQuery{Open: c.Query("all") != "true", Prefix: c.Query("id")}
	limit, err := strconv.Atoi(c.DefaultQuery("limit", strconv.Itoa(eventPage)))
	if err == nil && c.Query("before") != "" {
		q.Before, err = strconv.ParseInt(c.Query("before"), 10, 64)
	}
	if err != nil {
		a.fail(c, &refusal{code: contract.CodeBadRequest, detail: "limit and before are whole numbers"})
		return
	}
	out := contract.EventList{Events: []contract.Event{}}
	for q.Limit = limit + 1; ; { // until a page is full of what this one may read
		list, err := a.Events.List(c.Request.Context(), q)
		if err != nil {
			a.fail(c, err)
			return
		}
		for i := range list {
			if !a.shows(c, &list[i]) {
				continue
			}
			if len(out.Events) == limit {
				next := out.Events[limit-1].Sequence
				out.Next = &next
				break
			}
			out.Events = append(out.Events, eventOf(&list[i]))
		}
		if len(list) <= limit || out.Next != nil {
			break
		}
		q.Before = list[limit].Sequence
	}
	a.reply(c, out, nil)
}

// shows tells whether an event is among those that were asked for, by somebody
// who may read it.
func (a *API) shows(c *gin.Context, v *events.Event) bool {
	over := v.State != events.Open && v.State != events.Complete
	product := c.Query("product")
	return (c.Query("all") == "true" || !over) && (product == "" || product == string(v.Product)) &&
		identity(c).Check(auth.Read, v.Product) == nil
}

// event reads the event of a path for somebody who has the permission.
func (a *API) event(c *gin.Context, need auth.Permission) (events.Event, error) {
	v, err := a.Events.Get(c.Request.Context(), c.Param("id"))
	if err == nil {
		err = identity(c).Check(need, v.Product)
	}
	return v, err
}

// signer is who acts on an event about a product.
func signer(c *gin.Context, product manifests.Product) events.Person {
	who := identity(c)
	return events.Person{ID: who.Person(), Name: who.Who(), Admin: who.Check(auth.Administer, product) == nil}
}

// showEvent answers with an event, or with a problem.
func (a *API) showEvent(c *gin.Context, status int, v events.Event, err error) {
	if err != nil {
		a.fail(c, err)
		return
	}
	tagged(c, v.Version)
	c.JSON(status, eventOf(&v))
}

func (a *API) getEvent(c *gin.Context) {
	v, err := a.event(c, auth.Read)
	a.showEvent(c, http.StatusOK, v, err)
}

func (a *API) getProposal(c *gin.Context) {
	if _, err := a.event(c, auth.Read); err != nil {
		a.fail(c, err)
		return
	}
	data, v, err := a.Events.File(c.Request.Context(), c.Param("id"))
	if err != nil {
		a.fail(c, err)
		return
	}
	tagged(c, v.Version)
	c.Data(http.StatusOK, "application/json", data)
}

func (a *API) openEvent(c *gin.Context) {
	permit := func(p *release.Proposal) error { return identity(c).Check(auth.Submit, p.Product) }
	v, opened, err := a.Events.Open(c.Request.Context(), signer(c, ""), body(c), permit)
	status := http.StatusOK
	if opened {
		status = http.StatusCreated
	}
	a.showEvent(c, status, v, err)
}

func (a *API) addWords(c *gin.Context) {
	v, err := a.event(c, auth.Submit)
	var in struct {
		Said []event.Said `json:"said"`
	}
	if err == nil {
		err = strict.Decode(body(c), maxWordsBody, &in)
	}
	if err == nil {
		v, err = a.Events.Add(c.Request.Context(), signer(c, v.Product), v.ID, in.Said)
	}
	a.showEvent(c, http.StatusOK, v, err)
}

func (a *API) remarkOnEvent(c *gin.Context) {
	v, err := a.event(c, auth.Submit)
	var in contract.EventRemarkRequest
	if err == nil {
		in, err = decode[contract.EventRemarkRequest](c)
	}
	if err == nil {
		v, err = a.Events.Remark(c.Request.Context(), signer(c, v.Product), v.ID, in.Text, in.Reject != nil && *in.Reject)
	}
	a.showEvent(c, http.StatusOK, v, err)
}

func (a *API) publishEvent(c *gin.Context) {
	v, err := a.event(c, auth.Submit)
	var version int64
	if err == nil {
		version, err = ifMatch(c.GetHeader("If-Match"))
	}
	var done release.Result
	if err == nil {
		ctx, permit := c.Request.Context(), func(p manifests.Product) error { return identity(c).Check(auth.Submit, p) }
		if v, done, err = a.Events.Publish(ctx, signer(c, v.Product), v.ID, version, permit); err == nil {
			err = a.Rollouts.Settle(ctx)
		}
	}
	a.reply(c, contract.EventPublished{Event: eventOf(&v), Accepted: done.Accepted, Snapshot: done.Snapshot}, err)
}

// eventOf is an event as the contract has it.
func eventOf(v *events.Event) contract.Event {
	out := contract.Event{
		Id: v.ID, Words: wordsOf(v.ID), Kind: v.Kind, State: string(v.State), Sentence: v.State.Sentence(), Opened: v.Opened, OpenedBy: v.OpenedBy,
		Changed: v.Changed, Expires: v.Expires, Version: v.Version, Sequence: v.Sequence, Roles: []contract.EventRole{},
		Statements: []contract.EventStatement{}, Rejections: []contract.EventRejection{}, Remarks: []contract.EventRemark{},
	}
	if v.Product != "" {
		product := string(v.Product)
		out.Product = &product
	}
	if v.Build != 0 {
		build := int64(v.Build)
		out.Build = &build
	}
	for _, p := range v.Tables.Progress(v.Said) {
		out.Roles = append(out.Roles, contract.EventRole{
			Role: p.Role, Version: p.Version, Threshold: p.Threshold, Complete: p.Met(), Signed: names(p.Signed), Waiting: names(p.Waiting),
		})
	}
	for _, s := range v.Said {
		if s.Statement != nil {
			one := contract.EventStatement{Holder: s.Statement.Holder, At: s.Statement.At}
			if image := string(s.Statement.Image); image != "" {
				one.Image = &image
			}
			out.Statements = append(out.Statements, one)
		}
		if r := s.Rejection; r != nil {
			out.Rejections = append(out.Rejections, contract.EventRejection{Holder: r.Holder, At: r.At, Reason: r.Reason, TakenBack: s.Statement != nil})
		}
	}
	for _, r := range v.Remarks {
		out.Remarks = append(out.Remarks, contract.EventRemark{By: r.By, At: r.At, Text: r.Text, Reject: r.Reject})
	}
	return out
}

func names(people []release.Person) []string {
	out := []string{}
	for _, p := range people {
		name := p.Holder
		if name == "" {
			name = "key " + p.KeyID[:min(12, len(p.KeyID))]
		}
		out = append(out, name)
	}
	return out
}

// wordsOf is a hash in words.
func wordsOf(id string) string {
	h, err := manifests.ParseSHA256(id)
	if err != nil {
		return ""
	}
	return h.Words()
}
