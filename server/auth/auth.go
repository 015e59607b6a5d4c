// Package auth says who may do what on the operator API.
//
// Parties. An admin makes tokens on the server's own command line; a person or
// a machine sends one as a bearer. A token is "candor_" and 32 random bytes;
// the ledger keeps its SHA-256 only, so whoever reads the ledger cannot act.
// Handsets have no token and need none.
//
// Roles. viewer reads; engineer reads, uploads and submits (what is submitted
// is verified against the root all the same); operator reads and changes
// rollouts; admin may do all. A token may be limited to products.
//
// Failure. A token that is unknown, expired or revoked is ErrUnauthorized
// without saying which; a known one that may not do it is ErrForbidden.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// Role is what a token is for.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"
	Engineer Role = "engineer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Permission is something that a route needs.
type Permission string

// The permissions.
const (
	Read    Permission = "read"
	Submit  Permission = "submit"  // uploads and submissions
	Operate Permission = "operate" // changes of rollouts
)

var allowed = map[Role][]Permission{
	Viewer:   {Read},
	Engineer: {Read, Submit},
	Operator: {Read, Operate},
	Admin:    {Read, Submit, Operate},
}

// ParseRole reads a role.
func ParseRole(s string) (Role, error) {
	if _, ok := allowed[Role(s)]; !ok {
		return "", fmt.Errorf("%q is not a role: use viewer, engineer, operator or admin", s)
	}
	return Role(s), nil
}

// The refusals.
var (
	ErrUnauthorized = errors.New("a valid token is needed")
	ErrForbidden    = errors.New("this token may not do that")
)

// Identity is who sent a request.
type Identity struct {
	ID       string
	Name     string
	Role     Role
	Products []manifests.Product // empty: all
}

// Check is ErrForbidden unless the identity has the permission for the
// product. An empty product asks about what concerns none in particular.
func (i Identity) Check(p Permission, product manifests.Product) error {
	if !slices.Contains(allowed[i.Role], p) {
		return fmt.Errorf("%w: role %s lacks %q", ErrForbidden, i.Role, p)
	}
	if product != "" && len(i.Products) > 0 && !slices.Contains(i.Products, product) {
		return fmt.Errorf("%w: it is not for product %s", ErrForbidden, product)
	}
	return nil
}

// Tokens is the part of the ledger that is needed here.
type Tokens interface {
	AddToken(ctx context.Context, t store.Token, e store.Entry) error
	TokenByHash(ctx context.Context, hash manifests.SHA256) (store.Token, error)
}

const prefix = "candor_"

// NewToken describes a token to be made.
type NewToken struct {
	Name     string
	Role     Role
	Products []manifests.Product // empty: all
	Expires  time.Time           // zero: never
	By       string              // for the audit log
}

const maxName = 64

// Create makes a token and gives its secret, which is shown this once.
func Create(ctx context.Context, tokens Tokens, n NewToken, now time.Time) (id, secret string, err error) {
	if strings.TrimSpace(n.Name) == "" || len(n.Name) > maxName || strings.ContainsFunc(n.Name, func(r rune) bool { return r < ' ' }) {
		return "", "", fmt.Errorf("token name %q: use 1 to %d characters on one line", n.Name, maxName)
	}
	if _, err := ParseRole(string(n.Role)); err != nil {
		return "", "", err
	}
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", "", fmt.Errorf("token: %w", err)
	}
	t := store.Token{
		ID: strings.ToLower(rand.Text()[:12]), Name: n.Name, Hash: manifests.SumSHA256(raw[:]), Role: string(n.Role),
		Products: n.Products, Created: now.UTC().Truncate(time.Second), Expires: n.Expires,
	}
	entry := store.Entry{At: t.Created, Who: n.By, What: "token.new", Subject: t.ID, Why: n.Name + " as " + t.Role}
	if err := tokens.AddToken(ctx, t, entry); err != nil {
		return "", "", fmt.Errorf("token %s: %w", n.Name, err)
	}
	return t.ID, prefix + base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Authenticate tells who stands behind an Authorization header.
func Authenticate(ctx context.Context, tokens Tokens, header string, now time.Time) (Identity, error) {
	secret, ok := strings.CutPrefix(header, "Bearer "+prefix)
	if !ok {
		return Identity{}, ErrUnauthorized
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != 32 {
		return Identity{}, ErrUnauthorized
	}
	hash := manifests.SumSHA256(raw)
	t, err := tokens.TokenByHash(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return Identity{}, ErrUnauthorized
	}
	if err != nil {
		return Identity{}, fmt.Errorf("authenticate: %w", err)
	}
	// The index looked the hash up; only this comparison decides.
	if subtle.ConstantTimeCompare(t.Hash[:], hash[:]) != 1 {
		return Identity{}, ErrUnauthorized
	}
	if !t.Revoked.IsZero() || !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Identity{}, ErrUnauthorized
	}
	return Identity{ID: t.ID, Name: t.Name, Role: Role(t.Role), Products: t.Products}, nil
}
