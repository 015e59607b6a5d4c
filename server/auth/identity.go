package auth

import (
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Identity is who sent a request.
type Identity struct {
	// ID is that of the token or the session.
	ID string
	// Name is for display. Its bearer may have chosen it, so no rule rests on
	// it.
	Name string
	// Owner is what Person gives.
	Owner string
	// Session tells that a browser's cookie said it, not a token.
	Session bool
	// Token is the ID of the API token that began the session; empty if the
	// provider did, or no session said it.
	Token  string
	Grants []Grant
	// Scope limits the grants to these permissions; empty does not.
	Scope []Permission
	// Expires is when it ends at the latest; zero is never.
	Expires time.Time
}

// Person is the stable identity of the human being who answers for a request:
// issuer#subject of who signed in, and the owner of a token. It is what rules
// about two different people compare: a person's two tokens, or a session and a
// token, are one person, and a changed display name is still the same one.
func (i Identity) Person() string { return i.Owner }

// Who is how the audit log names the identity: for people, and unmistakable.
func (i Identity) Who() string {
	if i.Session && i.Token != "" {
		return i.Name + " (session of token " + i.Token + " of " + i.Owner + ")"
	}
	if i.Session {
		return i.Name + " (" + i.Owner + ")"
	}
	return i.Name + " (token " + i.ID + " of " + i.Owner + ")"
}

// Check is ErrForbidden unless the identity has the permission for the
// product, or for any product at all if product is empty.
func (i Identity) Check(need Permission, product manifests.Product) error {
	if len(i.Scope) > 0 && !slices.Contains(i.Scope, need) {
		return ErrForbidden
	}
	if slices.ContainsFunc(i.Grants, func(g Grant) bool { return g.gives(need, product) }) {
		return nil
	}
	return ErrForbidden
}

// CheckEverywhere is ErrForbidden unless the identity has the permission for
// all products, also those to come.
func (i Identity) CheckEverywhere(need Permission) error {
	if i.Check(need, "") == nil && slices.ContainsFunc(i.Grants, func(g Grant) bool {
		return len(g.Products) == 0 && g.gives(need, "")
	}) {
		return nil
	}
	return ErrForbidden
}

// Permissions lists what the identity may do for some product, in the order of
// the constants.
func (i Identity) Permissions() []Permission {
	list := []Permission{}
	for _, p := range allowed[Admin] {
		if i.Check(p, "") == nil {
			list = append(list, p)
		}
	}
	return list
}
