package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// The defaults of People.
const (
	DefaultIdle     = 8 * time.Hour
	DefaultAbsolute = 24 * time.Hour
)

// Sessions is the part of the ledger that is needed for people who sign in.
type Sessions interface {
	AddLogin(ctx context.Context, l store.Login, max int, now time.Time) error
	TakeLogin(ctx context.Context, hash manifests.SHA256) (store.Login, error)
	AddSession(ctx context.Context, s store.Session, e store.Entry) error
	SessionByHash(ctx context.Context, hash manifests.SHA256) (store.Session, error)
	SessionList(ctx context.Context, q store.SessionQuery) ([]store.Session, error)
	TouchSession(ctx context.Context, id string, seen time.Time) error
	EndSessions(ctx context.Context, q store.SessionQuery, e store.Entry) (int, error)
}

// GroupGrant gives the members of a group of the provider a role.
type GroupGrant struct {
	Group string
	Grant
}

// People are those who use a browser. They sign in at the Provider, which may be
// nil, or with an API token, unless Tokens is nil; with both nil no cookie is
// worth anything.
type People struct {
	Ledger   Sessions
	Tokens   TokenReader
	Provider *Provider
	Grants   []GroupGrant
	// Origin is scheme://host[:port] of this server, as browsers see it; if it
	// is empty, this server is only used on its own machine (OriginOf).
	Origin string
	// Idle is how long a session lasts without being used, Absolute how long at
	// most.
	Idle, Absolute time.Duration
	Now            func() time.Time
}

// now is to the second, as the ledger keeps it.
func (p *People) now() time.Time { return p.Now().UTC().Truncate(time.Second) }

// Live is a session that is in force.
type Live struct {
	Identity
	Idle time.Time // when it ends if it is not used
	// CSRF is what state-changing requests repeat in the header X-CSRF-Token,
	// or in the field csrf of a plain form.
	CSRF string
}

const (
	touchEvery = time.Minute
	// clockSlip is how far the clock may have been set back before sessions
	// count as over, which would otherwise be idle for longer than they may.
	clockSlip = 5 * time.Minute
)

// BySession tells who stands behind a session cookie. The grants are those that
// the configuration gives now, not those at sign-in; those of a session that a
// token began are the token's, as long as it lasts.
func (p *People) BySession(ctx context.Context, cookie string) (Live, error) {
	live, seen, err := p.look(ctx, cookie)
	if err != nil {
		return Live{}, err
	}
	if now := p.now(); now.Sub(seen) >= touchEvery {
		if err := p.Ledger.TouchSession(ctx, live.ID, now); err != nil {
			return Live{}, fmt.Errorf("authenticate: %w", err)
		}
		live.Idle = now.Add(p.Idle)
	}
	return live, nil
}

// Still is BySession for a connection that stays open, which is no use of the
// session: it does not keep it from ending.
func (p *People) Still(ctx context.Context, cookie string) (Live, error) {
	live, _, err := p.look(ctx, cookie)
	return live, err
}

// look finds the session of a cookie, and when it was last seen.
func (p *People) look(ctx context.Context, cookie string) (Live, time.Time, error) {
	s, ok := parseSecret(cookie)
	if !ok || p.Provider == nil && p.Tokens == nil {
		return Live{}, time.Time{}, ErrUnauthorized
	}
	v, err := p.Ledger.SessionByHash(ctx, s.hash())
	if errors.Is(err, store.ErrNotFound) {
		return Live{}, time.Time{}, ErrUnauthorized
	}
	if err != nil {
		return Live{}, time.Time{}, fmt.Errorf("authenticate: %w", err)
	}
	// The index looked the hash up; only this comparison decides.
	hash, now := s.hash(), p.now()
	if subtle.ConstantTimeCompare(v.Hash[:], hash[:]) != 1 || !now.Before(v.Expires) || now.Sub(v.Seen) >= p.Idle || v.Seen.Sub(now) > clockSlip {
		return Live{}, time.Time{}, ErrUnauthorized
	}
	who, err := p.stands(ctx, v)
	if err != nil {
		return Live{}, time.Time{}, err
	}
	return Live{Identity: who, Idle: v.Seen.Add(p.Idle), CSRF: s.derive("candor-csrf-v1")}, v.Seen, nil
}

// stands tells who stands behind a session that has not run out: whom the
// provider of now vouched for and a grant of now names, or who has the token.
func (p *People) stands(ctx context.Context, v store.Session) (Identity, error) {
	if v.Token != "" {
		return p.byToken(ctx, v)
	}
	if p.Provider == nil || v.Issuer != p.Provider.config.Issuer {
		return Identity{}, ErrUnauthorized
	}
	who := p.identity(v)
	if len(who.Grants) == 0 {
		return Identity{}, ErrUnauthorized
	}
	return who, nil
}

// Sessions gives the sessions of a query that are in force.
func (p *People) Sessions(ctx context.Context, q store.SessionQuery) ([]store.Session, error) {
	if p.Ledger == nil {
		return nil, nil
	}
	all, err := p.Ledger.SessionList(ctx, q)
	if err != nil {
		return nil, err
	}
	var out []store.Session
	now := p.now()
	for _, s := range all {
		if !now.Before(s.Expires) || now.Sub(s.Seen) >= p.Idle {
			continue
		}
		_, err := p.stands(ctx, s)
		if err == nil {
			out = append(out, s)
		} else if !errors.Is(err, ErrUnauthorized) {
			return nil, err
		}
	}
	return out, nil
}

// EndSessions ends the sessions of a query and tells how many.
func (p *People) EndSessions(ctx context.Context, q store.SessionQuery, by Identity) (int, error) {
	if p.Ledger == nil || q == (store.SessionQuery{}) {
		return 0, nil
	}
	subject := q.ID
	if subject == "" {
		subject = q.Person
	}
	return p.Ledger.EndSessions(ctx, q, store.Entry{At: p.now(), Who: by.Who(), What: "auth.sign-out", Subject: subject})
}

func (p *People) identity(s store.Session) Identity {
	i := Identity{ID: s.ID, Name: s.Name, Owner: s.Person, Session: true, Expires: s.Expires}
	for _, name := range s.Groups {
		for _, g := range p.Grants {
			if g.Group == name {
				i.Grants = append(i.Grants, g.Grant)
			}
		}
	}
	return i
}

// ErrForeign: a request with a cookie that did not come from our own pages.
var ErrForeign = errors.New("this request did not come from this server's own pages: Origin and X-CSRF-Token must be its own")

// CheckOurs is ErrForeign unless a state-changing request that a cookie
// authenticates comes from one of our pages: the browser says so (Origin, or
// Sec-Fetch-Site where it sends none) and the page knows the session's token.
// form is the token from a plain form, or empty.
func (p *People) CheckOurs(r *http.Request, live Live, form string) error {
	if err := p.CheckOrigin(r); err != nil {
		return err
	}
	token := r.Header.Get("X-CSRF-Token")
	if token == "" {
		token = form
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(live.CSRF)) != 1 {
		return ErrForeign
	}
	return nil
}
