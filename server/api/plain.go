package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/dashboard/plain"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// plainRoutes are the pages without script. A halt goes through the lane of
// changes of rollouts, as everywhere: it waits for no page.
func (a *API) plainRoutes(e *gin.Engine) {
	e.GET(plain.StyleFile, a.plainStyle)
	e.Group("", a.operated, a.through(a.lanes.signIns), limited(0)).GET(plain.SignIn, a.plainSignIn)
	page := e.Group("", a.operated, a.through(a.lanes.operators), a.identified, a.may(auth.Read), limited(0))
	page.GET(plain.Root, a.plainList)
	page.GET(plain.Root+"/rollouts/:id", a.plainOne)
	e.Group("", a.operated, a.through(a.lanes.actions), a.identified, limited(maxOperatorBody), a.whole, a.ours, a.noted).POST(plain.Root+"/rollouts/:id/halt", a.plainHalt)
}

// isPlain tells whether a path is of the pages without script.
func isPlain(path string) bool {
	return path == plain.Root || strings.HasPrefix(path, plain.Root+"/")
}

func (a *API) plainStyle(c *gin.Context) {
	c.Header("Content-Type", "text/css; charset=utf-8")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-cache")
	c.Header("ETag", plain.Style.ETag)
	if c.GetHeader("If-None-Match") == plain.Style.ETag {
		c.Status(http.StatusNotModified)
		return
	}
	a.send(c, plain.Style.Body)
}

// plainPage answers with a page.
func (a *API) plainPage(c *gin.Context, status int, page any) {
	plain.Secure(c.Writer.Header())
	c.Status(status)
	if err := plain.Render(c.Writer, page); err != nil {
		a.Log.Warn("a page was not sent", "route", c.FullPath(), "error", err)
	}
}

// failPlain is fail for people without script: who is not signed in is shown
// where one does.
func (a *API) failPlain(c *gin.Context, status int, r *refusal) {
	defer c.Abort()
	if status == http.StatusUnauthorized && c.FullPath() != tokenRoute {
		where := plain.SignIn
		if c.Request.Method == http.MethodGet {
			where += "?next=" + url.QueryEscape(c.Request.URL.Path)
		}
		a.goTo(c, where)
		return
	}
	if c.FullPath() == tokenRoute {
		page := a.plainWays(c, "")
		if page.Error = r.detail; status == http.StatusUnauthorized {
			page.Error = "This token is not valid: it is mistyped, revoked or has expired."
		}
		a.plainPage(c, status, page)
		return
	}
	a.plainPage(c, status, plain.Failed{Title: title(status), Detail: r.detail, Code: r.code})
}

// wantsPlain tells whether somebody without script is answered: on a page of
// theirs, or to their form.
func wantsPlain(c *gin.Context) bool {
	return isPlain(c.Request.URL.Path) ||
		c.FullPath() == tokenRoute && plainForm(c) && strings.Contains(c.GetHeader("Accept"), "text/html")
}

func (a *API) plainSignIn(c *gin.Context) {
	a.plainPage(c, http.StatusOK, a.plainWays(c, c.Query("next")))
}

func (a *API) plainWays(c *gin.Context, next string) plain.Ways {
	if next == "" || auth.CheckNext(next) != nil {
		next = plain.Root
	}
	w := a.People.Ways(c.Request)
	return plain.Ways{OIDC: w.OIDC, Token: w.Token, Provider: w.Provider, Next: next}
}

// The rollouts that are shown, the most urgent states first, and how many.
var plainStates = []struct {
	states []policy.State
	most   int
}{
	{[]policy.State{policy.Active, policy.Held, policy.Scheduled}, 200},
	{[]policy.State{policy.Halted}, 20},
	{[]policy.State{policy.Complete}, 20},
}

func (a *API) plainList(c *gin.Context) {
	page := plain.List{Person: plainPerson(c), At: a.Now()}
	for _, part := range plainStates {
		q := store.RolloutQuery{Limit: part.most}
		for _, s := range part.states {
			q.States = append(q.States, string(s))
		}
		list, err := a.readable(c.Request.Context(), identity(c), q)
		if err != nil {
			a.fail(c, err)
			return
		}
		for i := range list {
			page.Rollouts = append(page.Rollouts, a.plainRollout(c, &list[i]))
		}
	}
	a.plainPage(c, http.StatusOK, page)
}

func (a *API) plainOne(c *gin.Context) {
	r, err := a.rollout(c, auth.Read)
	if err != nil {
		a.fail(c, err)
		return
	}
	a.plainPage(c, http.StatusOK, plain.One{Person: plainPerson(c), At: a.Now(), Rollout: a.plainRollout(c, &r)})
}

// plainHalt halts, whatever state the rollout was seen in: nothing is to stand
// between a person and HALT. The same form sent twice is one halt.
func (a *API) plainHalt(c *gin.Context) {
	r, err := a.rollout(c, auth.Halt)
	var form url.Values
	if err == nil {
		form, err = url.ParseQuery(string(body(c)))
	}
	if err == nil {
		err = a.haltPlainly(c.Request.Context(), r.ID, c, form)
		a.Hooks.Kick()
	}
	if err != nil {
		a.Tree.Kick() // where it is recorded but not published
		a.fail(c, err)
		return
	}
	a.goTo(c, plain.Root+"/rollouts/"+string(r.ID))
}

func (a *API) haltPlainly(ctx context.Context, id manifests.Name, c *gin.Context, form url.Values) error {
	change := rollout.Change{ID: id, Action: rollout.Halt, By: person(c), Reason: strings.TrimSpace(form.Get("reason"))}
	if change.Reason == "" {
		change.Reason = plain.Reason
	}
	if key := form.Get("key"); key != "" && len(key) <= maxKey {
		change.Key = requestHash(identity(c).ID, "plain", key)
	}
	_, err := a.Rollouts.Change(ctx, change)
	return err
}

func plainPerson(c *gin.Context) plain.Person {
	p := plain.Person{Name: identity(c).Name}
	if l, ok := signedIn(c); ok {
		p.CSRF = l.CSRF
	}
	return p
}

// haltable are the states in which there is something to halt.
var haltable = []policy.State{policy.Scheduled, policy.Active, policy.Held, policy.Complete}

// plainRollout shows a rollout; numbers that cannot be read now are unknown, and
// HALT is there all the same.
func (a *API) plainRollout(c *gin.Context, r *rollout.Rollout) plain.Rollout {
	out := plain.Rollout{
		ID: string(r.ID), Product: string(r.Plan.Product), Channel: string(r.Plan.Channel), Build: int64(r.Plan.Build),
		State: string(r.State), SharePPM: int(r.Share()), Stage: r.Stage + 1, Stages: len(r.Plan.Stages), Reason: r.Reason,
		Sentence: "What the votes say cannot be read now.", Since: r.StageSince.Time, Key: rand.Text(),
		MayHalt: slices.Contains(haltable, r.State) && identity(c).Check(auth.Halt, r.Plan.Product) == nil,
	}
	if r.State == policy.Halted && !r.HaltedAt.IsZero() {
		out.Bound = haltBoundOf(r).Sentence
	}
	brief, err := a.brief(c.Request.Context(), r)
	if err != nil {
		a.Log.Warn("a plain page shows a rollout without its numbers", "rollout", r.ID, "error", err)
		return out
	}
	out.Version, out.Sentence = brief.Version, brief.Sentence
	if brief.Rate != nil {
		out.Failed, out.Of, out.Counted = brief.Rate.Failed, brief.Rate.Of, true
	}
	return out
}
