package api

import (
	"errors"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

// tokenRoute is where one signs in with a token.
const tokenRoute = "/v1/auth/token"

// maxTokenForm bounds what signs in with a token, in bytes.
const maxTokenForm = 4 << 10

func (a *API) ways(c *gin.Context) {
	w := a.People.Ways(c.Request)
	out := contract.Ways{Oidc: w.OIDC, Token: w.Token}
	if w.Provider != "" {
		out.Provider = &w.Provider
	}
	a.reply(c, out, nil)
}

// signInWithToken begins a session for a script, or for a plain form.
func (a *API) signInWithToken(c *gin.Context) {
	in, err := tokenSignIn(c)
	if err == nil {
		in.From, in.Old = address(c), a.cookie(c, sessionCookie)
		var made auth.SignedIn
		if made, err = a.People.SignInWithToken(c.Request.Context(), c.Request, a.bearers, in); err == nil {
			a.setCookie(c, sessionCookie, made.Cookie, made.Session.Expires.Sub(made.Session.Created))
			if plainForm(c) {
				a.goTo(c, made.Next)
				return
			}
			a.done(c, nil)
			return
		}
	}
	if errors.Is(err, auth.ErrBadNext) {
		err = &refusal{code: contract.CodeBadRequest, detail: err.Error(), field: "next"}
	}
	a.fail(c, err)
}

// tokenSignIn reads the body in either of its forms. Blanks around a token are
// what copying it left there.
func tokenSignIn(c *gin.Context) (auth.TokenSignIn, error) {
	if plainForm(c) {
		form, err := url.ParseQuery(string(body(c)))
		if err != nil {
			return auth.TokenSignIn{}, &refusal{code: contract.CodeBadRequest, detail: "the form cannot be read"}
		}
		return auth.TokenSignIn{Token: strings.TrimSpace(form.Get("token")), Next: form.Get("next")}, nil
	}
	in, err := decode[contract.TokenSignIn](c)
	out := auth.TokenSignIn{Token: strings.TrimSpace(in.Token)}
	if in.Next != nil {
		out.Next = *in.Next
	}
	return out, err
}
