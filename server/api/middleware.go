package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

const (
	identityKey = "candor.identity"
	liveKey     = "candor.session"
)

// identified lets through whoever has a token or a session. A request that
// says Authorization is judged by that alone.
func (a *API) identified(c *gin.Context) {
	ctx := c.Request.Context()
	if c.Request.Header.Values("Authorization") != nil {
		who, err := a.bearers.Authenticate(ctx, c.GetHeader("Authorization"), address(c))
		if err != nil {
			a.fail(c, err)
			return
		}
		c.Set(identityKey, who)
		return
	}
	live, err := a.People.BySession(ctx, a.cookie(c, sessionCookie))
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Set(identityKey, live.Identity)
	c.Set(liveKey, live)
}

// address is where a request comes from, for limits only: it is never logged.
func address(c *gin.Context) netip.Addr {
	addr, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return netip.Addr{} // all that have none share one limit
	}
	return addr
}

// may lets through who has the permission for some product; which one it is,
// the handler checks.
func (a *API) may(need auth.Permission) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := identity(c).Check(need, ""); err != nil {
			a.fail(c, err)
		}
	}
}

func identity(c *gin.Context) auth.Identity {
	who, _ := c.Get(identityKey)
	id, _ := who.(auth.Identity)
	return id
}

// signedIn is the session that sent a request; false if a token did.
func signedIn(c *gin.Context) (auth.Live, bool) {
	v, _ := c.Get(liveKey)
	l, ok := v.(auth.Live)
	return l, ok
}

// ours refuses changes that another site's page makes a browser send. It comes
// after whole, for the field of a plain form.
func (a *API) ours(c *gin.Context) {
	l, ok := signedIn(c)
	if !ok || c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
		return
	}
	token := ""
	if plainForm(c) {
		if form, err := url.ParseQuery(string(body(c))); err == nil {
			token = form.Get("csrf")
		}
	}
	if err := a.People.CheckOurs(c.Request, l, token); err != nil {
		a.fail(c, err)
	}
}

func plainForm(c *gin.Context) bool { return c.ContentType() == "application/x-www-form-urlencoded" }

func limited(limit int64) gin.HandlerFunc {
	return func(c *gin.Context) { c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit) }
}

// whole reads a small body to its end, so that what is too large is said to be
// so before anything else is.
func (a *API) whole(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = &refusal{code: contract.CodeTooSlow, detail: "the body did not arrive in time"}
		default:
			err = &refusal{code: contract.CodeBadRequest, detail: "the body did not arrive whole"}
		}
		a.fail(c, err)
		return
	}
	c.Set(bodyKey, body)
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
}

const bodyKey = "candor.body"

// body is what whole read.
func body(c *gin.Context) []byte {
	v, _ := c.Get(bodyKey)
	b, _ := v.([]byte)
	return b
}

// validator holds requests against the contract.
type validator struct{ router routers.Router }

// theValidator reads the contract, which no two services of a process read
// differently, once: that takes longer than all else that starts a service.
var theValidator = sync.OnceValues(func() (*validator, error) {
	doc, err := openapi3.NewLoader().LoadFromData(contract.Spec)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return &validator{router}, nil
})

func (v *validator) check(ctx context.Context, r *http.Request, stream bool) error {
	route, params, err := v.router.FindRoute(r)
	if err != nil {
		return errNoRoute
	}
	err = openapi3filter.ValidateRequest(ctx, &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: stream},
	})
	if err == nil {
		return nil
	}
	out := &refusal{code: contract.CodeBadRequest, detail: "the request is not what the contract says"}
	var schema *openapi3.SchemaError
	var request *openapi3filter.RequestError
	if errors.As(err, &request) {
		switch {
		case request.Reason != "":
			out.detail = request.Reason
		case request.Err != nil:
			out.detail = request.Err.Error()
		}
		if request.Parameter != nil {
			out.field = request.Parameter.Name
		}
	}
	if errors.As(err, &schema) {
		out.detail = schema.Reason
		for _, part := range schema.JSONPointer() {
			if out.field += "." + part; out.field[0] == '.' {
				out.field = out.field[1:]
			}
		}
	}
	return out
}

// validated holds a request against the contract; bytes of uploads are not.
func (a *API) validated(v *validator) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := v.check(c.Request.Context(), c.Request, c.Request.Method == http.MethodPatch); err != nil {
			a.fail(c, err)
		}
	}
}
