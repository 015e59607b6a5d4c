package auth

import (
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
)

// Role is a bundle of permissions.
type Role string

// The roles, from the least to the most.
const (
	Viewer   Role = "viewer"
	Engineer Role = "engineer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Permission is something that a route needs.
type Permission string

// The permissions. Halt is apart from Operate so that whoever may ship may
// also stop; Approve is apart so that a token which drives rollouts can be made
// that cannot approve them.
const (
	Read       Permission = "read"
	Submit     Permission = "submit"      // uploads and submissions
	Operate    Permission = "operate"     // draft, propose, start, advance, pause and resume rollouts
	Approve    Permission = "approve"     // say yes to what somebody else asked for
	Halt       Permission = "halt"        // stop a rollout: one person, no approval
	BreakGlass Permission = "break-glass" // go on without the approvals, loudly
	Administer Permission = "administer"  // tokens, other people's sessions, audit export
)

var allowed = map[Role][]Permission{
	Viewer:   {Read},
	Engineer: {Read, Submit, Halt},
	Operator: {Read, Operate, Approve, Halt},
	Admin:    {Read, Submit, Operate, Approve, Halt, BreakGlass, Administer},
}

// ParseRole reads a role.
func ParseRole(s string) (Role, error) {
	if _, ok := allowed[Role(s)]; !ok {
		return "", fmt.Errorf("%q is not a role: use viewer, engineer, operator or admin", s)
	}
	return Role(s), nil
}

// ParsePermission reads a permission.
func ParsePermission(s string) (Permission, error) {
	if !slices.Contains(allowed[Admin], Permission(s)) {
		return "", fmt.Errorf("%q is not a permission: use %v", s, allowed[Admin])
	}
	return Permission(s), nil
}

// Grant is a role for some products.
type Grant struct {
	Role     Role
	Products []manifests.Product // empty: all, also those to come
}

// gives tells whether the grant has a permission for a product; for any
// product at all if product is empty.
func (g Grant) gives(need Permission, product manifests.Product) bool {
	return slices.Contains(allowed[g.Role], need) &&
		(product == "" || len(g.Products) == 0 || slices.Contains(g.Products, product))
}
