package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// Tokens is the part of the ledger that is needed for tokens.
type Tokens interface {
	AddToken(ctx context.Context, t store.Token, e store.Entry) error
	TokenByHash(ctx context.Context, hash manifests.SHA256) (store.Token, error)
}

const prefix = "candor_"

// DefaultLife is how long a token lives unless somebody says otherwise.
const DefaultLife = 90 * 24 * time.Hour

// NewToken describes a token to be made.
type NewToken struct {
	Name     string
	Role     Role
	Products []manifests.Product // empty: all
	Scope    []Permission        // empty: all that the role gives
	Expires  time.Time           // zero: never
	// Owner is the person who answers for the token, as in Identity.Person; if
	// empty, a person known here by Name.
	Owner string
	By    string // for the audit log
}

const (
	maxName  = 64
	maxOwner = 512
)

// LocalPerson is the person whom no provider knows, by a name that is theirs
// alone on this server.
func LocalPerson(name string) string { return "local:" + name }

// Check says what is wrong with a token before it is made, and fills in Owner.
func (n *NewToken) Check() error {
	if strings.TrimSpace(n.Name) == "" || len(n.Name) > maxName || strings.ContainsFunc(n.Name, hidden) {
		return fmt.Errorf("token name %q: use 1 to %d characters on one line", n.Name, maxName)
	}
	if n.Owner == "" {
		n.Owner = LocalPerson(n.Name)
	}
	if len(n.Owner) > maxOwner || strings.ContainsFunc(n.Owner, hidden) || strings.TrimSpace(n.Owner) != n.Owner {
		return fmt.Errorf("owner %q: use issuer#subject, or local:NAME", n.Owner)
	}
	if _, err := ParseRole(string(n.Role)); err != nil {
		return err
	}
	for _, p := range n.Scope {
		if !slices.Contains(allowed[n.Role], p) {
			return fmt.Errorf("scope %q: role %s does not give it; it gives %v", p, n.Role, allowed[n.Role])
		}
	}
	return nil
}

// NeverWarning is said wherever a token that never expires is made.
const NeverWarning = "this token never expires: whoever finds it in ten years may still use it; revoke it as soon as nobody needs it"

// ParseLife reads how long a token lives: a duration such as 30d, never, or
// nothing for DefaultLife. The zero time is never.
func ParseLife(s string, now time.Time) (time.Time, error) {
	life := DefaultLife
	switch s {
	case "":
	case "never":
		return time.Time{}, nil
	default:
		d, err := manifests.ParseDuration(s)
		if err != nil {
			return time.Time{}, err
		}
		if d.Duration < time.Second {
			return time.Time{}, fmt.Errorf("%q is no time at all; use a duration such as 30d, or never", s)
		}
		life = d.Duration
	}
	return now.Add(life).UTC().Truncate(time.Second), nil
}

// CheckGives is ErrForbidden unless the identity may itself do everything that
// the token could.
func (i Identity) CheckGives(n NewToken) error {
	scope := n.Scope
	if len(scope) == 0 {
		scope = allowed[n.Role]
	}
	for _, p := range scope {
		if err := i.CheckEverywhere(p); err == nil {
			continue
		}
		if len(n.Products) == 0 {
			return ErrForbidden
		}
		for _, product := range n.Products {
			if err := i.Check(p, product); err != nil {
				return err
			}
		}
	}
	return nil
}

// hidden are characters that could make one name look like another in a log.
func hidden(r rune) bool { return !unicode.IsPrint(r) }

// Create makes a token and gives its secret, which is shown this once.
func Create(ctx context.Context, tokens Tokens, n NewToken, now time.Time) (id, secret string, err error) {
	if err := n.Check(); err != nil {
		return "", "", err
	}
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", "", fmt.Errorf("token: %w", err)
	}
	t := store.Token{
		ID: newID(), Name: n.Name, Owner: n.Owner, Hash: manifests.SumSHA256(raw[:]), Role: string(n.Role),
		Products: n.Products, Created: now.UTC().Truncate(time.Second), Expires: n.Expires,
	}
	for _, p := range n.Scope {
		t.Scope = append(t.Scope, string(p))
	}
	detail, err := json.Marshal(map[string]any{
		"role": t.Role, "products": append([]manifests.Product{}, t.Products...), "scope": append([]string{}, t.Scope...),
		"owner": t.Owner, "never": t.Expires.IsZero(),
	})
	if err != nil {
		return "", "", fmt.Errorf("token %s: %w", n.Name, err)
	}
	entry := store.Entry{At: t.Created, Who: n.By, What: "token.new", Subject: t.ID, Why: n.Name + " as " + t.Role, Detail: detail}
	if err := tokens.AddToken(ctx, t, entry); err != nil {
		return "", "", fmt.Errorf("token %s: %w", n.Name, err)
	}
	return t.ID, prefix + base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// newID is a name that tells nothing: 60 random bits.
func newID() string { return strings.ToLower(rand.Text()[:12]) }

// Authenticate tells who stands behind an Authorization header.
func Authenticate(ctx context.Context, tokens Tokens, header string, now time.Time) (Identity, error) {
	hash, err := tokenHash(header)
	if err != nil {
		return Identity{}, err
	}
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
	if Ended(t, now) {
		return Identity{}, ErrUnauthorized
	}
	return tokenIdentity(t), nil
}

// Ended tells whether a token is revoked or has expired.
func Ended(t store.Token, now time.Time) bool {
	return !t.Revoked.IsZero() || !t.Expires.IsZero() && !now.Before(t.Expires)
}

func tokenIdentity(t store.Token) Identity {
	i := Identity{ID: t.ID, Name: t.Name, Owner: t.Owner, Expires: t.Expires, Grants: []Grant{{Role: Role(t.Role), Products: t.Products}}}
	for _, p := range t.Scope {
		i.Scope = append(i.Scope, Permission(p))
	}
	return i
}

// tokenHash gives what the ledger knows of a bearer's token.
func tokenHash(header string) (manifests.SHA256, error) {
	secret, ok := strings.CutPrefix(header, "Bearer "+prefix)
	if !ok {
		return manifests.SHA256{}, ErrUnauthorized
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != 32 {
		return manifests.SHA256{}, ErrUnauthorized
	}
	return manifests.SumSHA256(raw), nil
}
