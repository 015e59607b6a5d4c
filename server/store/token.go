package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Token lets a person or a machine use the operator API. Only the hash of its
// secret is stored.
type Token struct {
	ID       string
	Name     string
	Owner    string // the person who answers for it, as in auth.Identity.Person
	Hash     manifests.SHA256
	Role     string
	Products []manifests.Product // empty: all
	Scope    []string            // permissions that it is limited to; empty: all of its role
	Created  time.Time
	Expires  time.Time // zero: never
	Revoked  time.Time // zero: not revoked
}

// Tokens keeps the API tokens.
type Tokens interface {
	// AddToken is ErrExists if ID or hash is taken.
	AddToken(ctx context.Context, t Token, e Entry) error
	// TokenByHash gives expired and revoked tokens too; ErrNotFound if none.
	TokenByHash(ctx context.Context, hash manifests.SHA256) (Token, error)
	// Token gives expired and revoked tokens too, by ID; ErrNotFound if none.
	Token(ctx context.Context, id string) (Token, error)
	// Tokens gives all, the newest first.
	Tokens(ctx context.Context) ([]Token, error)
	// RevokeToken at e.At; again changes nothing. ErrNotFound if there is none.
	RevokeToken(ctx context.Context, id string, e Entry) error
}
