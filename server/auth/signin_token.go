package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// TokenReader finds API tokens.
type TokenReader interface {
	TokenByHash(ctx context.Context, hash manifests.SHA256) (store.Token, error)
	Token(ctx context.Context, id string) (store.Token, error)
}

// ErrNoOrigin: sessions are for pages of this server, and it does not know
// where those are.
var ErrNoOrigin = errors.New("this server does not know the address under which browsers see it; set origin in config.yaml, such as https://ota.example.org")

// Ways are how one may sign in.
type Ways struct {
	OIDC, Token bool
	Provider    string // host of the identity provider; empty without one
}

// Ways tells how the browser that sent a request may sign in.
func (p *People) Ways(r *http.Request) Ways {
	w := Ways{OIDC: p.Provider != nil, Token: p.Tokens != nil && p.OriginOf(r) != ""}
	if w.OIDC {
		w.Provider = p.Provider.Host()
	}
	return w
}

// TokenSignIn is what a browser sends to begin a session with a token.
type TokenSignIn struct {
	Token string // the secret
	Next  string // where to go afterwards; / if empty
	From  netip.Addr
	// Old is the session cookie that the browser had before; its session ends.
	Old string
}

// SignInWithToken makes a session that belongs to a token and may not outlive
// it. Wrong tokens cost the address its tries with bearers, as anywhere else.
// The request must come from our own pages, or a page of somebody else could
// sign its visitors in as somebody they are not.
func (p *People) SignInWithToken(ctx context.Context, r *http.Request, bearers *Bearers, in TokenSignIn) (SignedIn, error) {
	if p.Tokens == nil {
		return SignedIn{}, ErrSignInOff
	}
	if p.OriginOf(r) == "" {
		return SignedIn{}, ErrNoOrigin
	}
	if err := p.CheckOrigin(r); err != nil {
		return SignedIn{}, err
	}
	if in.Next == "" {
		in.Next = "/"
	}
	if err := CheckNext(in.Next); err != nil {
		return SignedIn{}, err
	}
	who, err := bearers.Authenticate(ctx, "Bearer "+in.Token, in.From)
	if err != nil {
		return SignedIn{}, err
	}
	s, cookie, err := p.tokenSession(who)
	if err != nil {
		return SignedIn{}, err
	}
	who.Session, who.Token, who.ID = true, who.ID, s.ID
	entry := store.Entry{At: s.Created, Who: who.Who(), What: "auth.sign-in", Subject: s.ID, Why: "with token " + who.Token}
	if err := p.Ledger.AddSession(ctx, s, entry); err != nil {
		return SignedIn{}, fmt.Errorf("sign in: %w", err)
	}
	if err := p.endOld(ctx, in.Old, s); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Cookie: cookie, Next: in.Next, Session: s}, nil
}

// tokenSession is a new session of a token's owner. Its secret is new, whatever
// the browser sent.
func (p *People) tokenSession(who Identity) (store.Session, string, error) {
	now := p.now()
	cookie, err := newSecret()
	return store.Session{
		ID: newID(), Hash: cookie.hash(), Person: who.Owner, Token: who.ID, Name: who.Name,
		Created: now, Seen: now, Expires: earliest(now.Add(p.Absolute), who.Expires),
	}, cookie.text(), err
}

// earliest leaves out times that are zero, which are never.
func earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// byToken looks at the token of a session again: what it may, it may as long as
// the token does.
func (p *People) byToken(ctx context.Context, v store.Session) (Identity, error) {
	if p.Tokens == nil {
		return Identity{}, ErrUnauthorized
	}
	t, err := p.Tokens.Token(ctx, v.Token)
	if errors.Is(err, store.ErrNotFound) {
		return Identity{}, ErrUnauthorized
	}
	if err != nil {
		return Identity{}, fmt.Errorf("authenticate: %w", err)
	}
	if Ended(t, p.now()) || t.Owner != v.Person {
		return Identity{}, ErrUnauthorized
	}
	who := tokenIdentity(t)
	who.ID, who.Session, who.Token, who.Expires = v.ID, true, t.ID, earliest(v.Expires, t.Expires)
	return who, nil
}

// who names the person of a session that may be over, for the audit log.
func (p *People) who(v store.Session) string {
	i := p.identity(v)
	i.Token = v.Token
	return i.Who()
}
