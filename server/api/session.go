package api

import (
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

func (a *API) peopleRoutes(e *gin.Engine, v *validator) {
	open := e.Group("/v1/auth", a.through(a.lanes.signIns), limited(0), a.whole, a.validated(v))
	open.GET("/login", a.login)
	open.GET("/callback", a.callback)
	open.GET("/ways", a.ways)
	e.Group("/v1/auth", a.operated, a.through(a.lanes.signIns), limited(maxTokenForm), a.whole, a.validated(v)).POST("/token", a.signInWithToken)

	known := e.Group("/v1", a.operated, a.through(a.lanes.operators), a.identified, limited(maxOperatorBody), a.whole, a.ours, a.noted, a.idempotent, a.validated(v))
	known.GET("/auth/session", a.whoami)
	known.GET("/auth/sessions", a.listSessions)
	known.DELETE("/auth/sessions/:id", a.endSession)
	known.POST("/auth/logout", a.logout)
	known.POST("/auth/logout-everywhere", a.logoutEverywhere)

	admin := e.Group("/v1", a.operated, a.through(a.lanes.operators), a.identified, a.everywhere(auth.Administer), limited(maxOperatorBody), a.whole, a.ours, a.noted, a.idempotent, a.validated(v))
	admin.GET("/people", a.listPeople)
	admin.GET("/api-tokens", a.listTokens)
	admin.POST("/api-tokens", a.createToken)
	admin.DELETE("/api-tokens/:id", a.revokeToken)
}

// everywhere lets through who has the permission for all products.
func (a *API) everywhere(need auth.Permission) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := identity(c).CheckEverywhere(need); err != nil {
			a.fail(c, err)
		}
	}
}

// The cookies. Over TLS their names get the prefix __Host-: browsers then take
// them from this very host only, and never without TLS.
const (
	sessionCookie = "candor-session"
	loginCookie   = "candor-login"
	loginPatience = 10 * time.Minute
)

func (a *API) secure(c *gin.Context) bool {
	return strings.HasPrefix(a.People.OriginOf(c.Request), "https:")
}

func (a *API) cookieName(c *gin.Context, name string) string {
	if a.secure(c) {
		return "__Host-" + name
	}
	return name
}

// cookie is the value of a cookie that came exactly once.
func (a *API) cookie(c *gin.Context, name string) string {
	found := c.Request.CookiesNamed(a.cookieName(c, name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// setCookie gives the browser a cookie, or takes it back if value is empty.
// Lax, because the way back from the provider is a link from another site.
func (a *API) setCookie(c *gin.Context, name, value string, life time.Duration) {
	age := int(life / time.Second)
	if value == "" {
		age = -1
	}
	http.SetCookie(c.Writer, &http.Cookie{
		Name: a.cookieName(c, name), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: a.secure(c), SameSite: http.SameSiteLaxMode,
	})
}

// wholeWindow tells whether a browser goes somewhere as a whole window; one that
// does not say is believed. A frame of another page would sign in anew behind
// its back, which ends the session that is there.
func wholeWindow(c *gin.Context) bool {
	dest := c.GetHeader("Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}

var errFramed = &refusal{code: contract.CodeForeignRequest, detail: "signing in takes a window of its own"}

func (a *API) login(c *gin.Context) {
	if !wholeWindow(c) {
		a.failPage(c, errFramed)
		return
	}
	if err := a.logins.Spend(address(c), a.Now()); err != nil {
		a.failPage(c, err)
		return
	}
	cookie, where, err := a.People.BeginSignIn(c.Request.Context(), c.Query("next"))
	if errors.Is(err, auth.ErrBadNext) {
		err = &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "next"}
	}
	if err != nil {
		a.failPage(c, err)
		return
	}
	a.setCookie(c, loginCookie, cookie, loginPatience)
	a.goTo(c, where)
}

// callback ends at a session or a page that says why not. A browser that comes
// back wrongly has spent one of its tries.
func (a *API) callback(c *gin.Context) {
	if !wholeWindow(c) {
		a.failPage(c, errFramed)
		return
	}
	in, err := a.People.FinishSignIn(c.Request.Context(), auth.Callback{
		Cookie: a.cookie(c, loginCookie), State: c.Query("state"), Code: c.Query("code"),
		Error: c.Query("error"), Issuer: c.Query("iss"), Old: a.cookie(c, sessionCookie),
	})
	if errors.Is(err, auth.ErrSignInFailed) {
		if many := a.logins.Spend(address(c), a.Now()); many != nil {
			err = many
		}
	}
	if err != nil {
		a.failPage(c, err)
		return
	}
	a.setCookie(c, loginCookie, "", 0)
	a.setCookie(c, sessionCookie, in.Cookie, a.People.Absolute)
	a.goTo(c, in.Next)
}

func (a *API) goTo(c *gin.Context, where string) {
	c.Header("Cache-Control", "no-store")
	c.Header("Referrer-Policy", "no-referrer")
	c.Redirect(http.StatusSeeOther, where)
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Signing in: {{.Title}}</title>
<main><h1>{{.Title}}</h1><p>{{.Detail}}</p><p><a href="/v1/auth/login">Sign in</a></p><p><small>{{.Code}}</small></p></main></html>
`))

// failPage is fail for a place to which browsers are sent.
func (a *API) failPage(c *gin.Context, err error) {
	if errors.Is(err, auth.ErrSignInFailed) || errors.Is(err, auth.ErrProviderDown) || errors.Is(err, auth.ErrNoGrant) {
		a.Log.Warn("a sign-in failed", "error", err)
	}
	r := refusalOf(err)
	if r == nil || !strings.Contains(c.GetHeader("Accept"), "text/html") {
		a.fail(c, err)
		return
	}
	status, ok := statuses[r.code]
	if !ok {
		status = http.StatusUnprocessableEntity
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		c.Header("Retry-After", retryAfter(err))
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Referrer-Policy", "no-referrer")
	c.Status(status)
	if err := page.Execute(c.Writer, map[string]string{"Title": title(status), "Detail": r.detail, "Code": r.code}); err != nil {
		a.Log.Warn("a page was not sent", "error", err)
	}
	c.Abort()
}

func (a *API) whoami(c *gin.Context) {
	who := identity(c)
	out := contract.Caller{
		Kind: contract.CallerKindToken, Id: who.ID, Name: who.Name, Person: who.Person(),
		Grants: []contract.Grant{}, Permissions: []contract.Permission{},
	}
	for _, g := range who.Grants {
		out.Grants = append(out.Grants, grantOf(g))
	}
	for _, p := range who.Permissions() {
		out.Permissions = append(out.Permissions, contract.Permission(p))
	}
	if !who.Expires.IsZero() {
		out.Expires = &who.Expires
	}
	if l, ok := signedIn(c); ok {
		out.Kind, out.Csrf, out.IdleExpires = contract.CallerKindSession, &l.CSRF, &l.Idle
		if l.Token != "" {
			out.Token = &l.Token
		}
	}
	a.reply(c, out, nil)
}

func (a *API) listSessions(c *gin.Context) {
	who := identity(c)
	q := store.SessionQuery{Person: who.Person()}
	if c.Query("all") == "true" {
		if err := who.CheckEverywhere(auth.Administer); err != nil {
			a.fail(c, err)
			return
		}
		q.Person = ""
	}
	list, err := a.People.Sessions(c.Request.Context(), q)
	out := contract.SessionList{Sessions: []contract.Session{}}
	for _, s := range list {
		one := contract.Session{
			Id: s.ID, Person: s.Person, Name: s.Name, Created: s.Created, Seen: s.Seen, Expires: s.Expires,
			Current: who.Session && who.ID == s.ID,
		}
		if s.Token != "" {
			one.Token = &s.Token
		}
		out.Sessions = append(out.Sessions, one)
	}
	a.reply(c, out, err)
}

// endSession says the same of a session of somebody else as of none.
func (a *API) endSession(c *gin.Context) {
	who := identity(c)
	q := store.SessionQuery{ID: c.Param("id"), Person: who.Person()}
	if who.CheckEverywhere(auth.Administer) == nil {
		q.Person = ""
	}
	n, err := a.People.EndSessions(c.Request.Context(), q, who)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	a.done(c, err)
}

var errNoSession = &refusal{code: contract.CodeConflict, detail: "a token sent this; only a browser has a session to end"}

func (a *API) logout(c *gin.Context) {
	a.leave(c, store.SessionQuery{ID: identity(c).ID})
}

func (a *API) logoutEverywhere(c *gin.Context) {
	a.leave(c, store.SessionQuery{Person: identity(c).Person()})
}

func (a *API) leave(c *gin.Context, q store.SessionQuery) {
	if _, ok := signedIn(c); !ok {
		a.fail(c, errNoSession)
		return
	}
	if _, err := a.People.EndSessions(c.Request.Context(), q, identity(c)); err != nil {
		a.fail(c, err)
		return
	}
	a.setCookie(c, sessionCookie, "", 0)
	if plainForm(c) {
		a.goTo(c, "/")
		return
	}
	a.done(c, nil)
}
