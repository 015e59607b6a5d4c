package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

func (a *API) listTokens(c *gin.Context) {
	list, err := a.Ledger.Tokens(c.Request.Context())
	out := contract.ApiTokenList{Tokens: []contract.ApiToken{}}
	for i := range list {
		out.Tokens = append(out.Tokens, tokenOf(&list[i]))
	}
	a.reply(c, out, err)
}

func tokenOf(t *store.Token) contract.ApiToken {
	out := contract.ApiToken{
		Id: t.ID, Name: t.Name, Person: t.Owner, Role: contract.Role(t.Role), Created: t.Created,
		Products: []string{}, Scope: []contract.Permission{},
	}
	for _, p := range t.Products {
		out.Products = append(out.Products, string(p))
	}
	for _, p := range t.Scope {
		out.Scope = append(out.Scope, contract.Permission(p))
	}
	if !t.Expires.IsZero() {
		out.Expires = &t.Expires
	}
	if !t.Revoked.IsZero() {
		out.Revoked = &t.Revoked
	}
	return out
}

// newToken reads what is asked for. The token belongs to who asks.
func (a *API) newToken(c *gin.Context) (auth.NewToken, error) {
	who := identity(c)
	n := auth.NewToken{Owner: who.Person(), By: who.Who()}
	in, err := decode[contract.NewApiToken](c)
	if err != nil {
		return n, err
	}
	bad := func(field string, err error) error {
		return &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: field}
	}
	n.Name, n.Role = in.Name, auth.Role(in.Role)
	if in.Products != nil {
		for _, text := range *in.Products {
			p, err := manifests.ParseProduct(text)
			if err != nil {
				return n, bad("products", err)
			}
			n.Products = append(n.Products, p)
		}
	}
	if in.Scope != nil {
		for _, p := range *in.Scope {
			n.Scope = append(n.Scope, auth.Permission(p))
		}
	}
	life := ""
	if in.Expires != nil {
		life = *in.Expires
	}
	if n.Expires, err = auth.ParseLife(life, a.Now()); err != nil {
		return n, bad("expires", err)
	}
	if err := n.Check(); err != nil {
		return n, bad("", err)
	}
	return n, who.CheckGives(n)
}

func (a *API) createToken(c *gin.Context) {
	n, err := a.newToken(c)
	var id, secret string
	if err == nil {
		id, secret, err = auth.Create(c.Request.Context(), a.Ledger, n, a.Now())
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	out := contract.MadeApiToken{Id: id, Token: secret}
	if n.Expires.IsZero() {
		warning := auth.NeverWarning
		out.Warning = &warning
		a.Log.Warn("a token that never expires was made", "token", id, "request", request(c))
	} else {
		out.Expires = &n.Expires
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusCreated, out)
}

func (a *API) revokeToken(c *gin.Context) {
	e := store.Entry{At: a.Now().UTC().Truncate(time.Second), Who: identity(c).Who(), What: "token.revoke", Subject: c.Param("id")}
	a.done(c, a.Ledger.RevokeToken(c.Request.Context(), c.Param("id"), e))
}
