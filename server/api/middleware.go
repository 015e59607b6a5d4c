package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

const identityKey = "candor.identity"

// authenticated lets through who has the permission.
func (a *API) authenticated(need auth.Permission) gin.HandlerFunc {
	return func(c *gin.Context) {
		who, err := auth.Authenticate(c.Request.Context(), a.Ledger, c.GetHeader("Authorization"), a.Now())
		if err == nil {
			err = who.Check(need, "")
		}
		if err != nil {
			a.fail(c, err)
			return
		}
		c.Set(identityKey, who)
	}
}

func identity(c *gin.Context) auth.Identity {
	who, _ := c.Get(identityKey)
	id, _ := who.(auth.Identity)
	return id
}

func limited(limit int64) gin.HandlerFunc {
	return func(c *gin.Context) { c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit) }
}

// whole reads a small body to its end, so that what is too large is said to be
// so before anything else is.
func (a *API) whole(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if !errors.As(err, &tooLarge) {
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

func newValidator(spec []byte) (*validator, error) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return &validator{router}, nil
}

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

// counted counts answers by route and class of status: few labels, whatever is
// asked for.
func (a *API) counted(c *gin.Context) {
	c.Next()
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	a.metrics.requests.WithLabelValues(c.Request.Method, route, strconv.Itoa(c.Writer.Status()/100)+"xx").Inc()
}
