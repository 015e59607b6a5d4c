package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// The refusals of signing in.
var (
	// ErrSignInOff: no provider is configured.
	ErrSignInOff = errors.New("signing in is not set up on this server; use a token")
	// ErrSignInFailed: begin again. What precisely was wrong is for the log.
	ErrSignInFailed = errors.New("signing in did not work; begin again")
	// ErrNoGrant: the provider knows the person, this server gives them nothing.
	ErrNoGrant = errors.New("you are known, but none of your groups may use this server; ask its administrator for a grant")
	// ErrBadNext: next would lead away from this server.
	ErrBadNext = errors.New("next must be a path on this server, such as /rollouts")

	errRefused = fmt.Errorf("%w: the provider's answer is not accepted", ErrSignInFailed)
)

const (
	loginLife = 10 * time.Minute
	maxLogins = 10_000 // under way at once
	maxCode   = 4096
)

// secret is what a cookie holds: 32 random bytes.
type secret [32]byte

func newSecret() (s secret, err error) {
	if _, err = rand.Read(s[:]); err != nil {
		err = fmt.Errorf("random: %w", err)
	}
	return s, err
}

func parseSecret(text string) (s secret, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(s) {
		return s, false
	}
	return secret(raw), true
}

// text is the value of the cookie.
func (s secret) text() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

// hash is what the ledger knows.
func (s secret) hash() manifests.SHA256 { return manifests.SumSHA256(s[:]) }

// derive makes another secret, from which s cannot be found.
func (s secret) derive(label string) string {
	m := hmac.New(sha256.New, s[:])
	m.Write([]byte(label))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// attempt is a sign-in under way. State, nonce and PKCE verifier (RFC 7636) all
// come from the secret in the browser's cookie: nothing has to be stored that a
// reader of the ledger could use, and another browser cannot finish it.
type attempt struct{ secret }

func (a attempt) state() string    { return a.derive("candor-login-state-v1") }
func (a attempt) nonce() string    { return a.derive("candor-login-nonce-v1") }
func (a attempt) verifier() string { return a.derive("candor-login-pkce-v1") }

// CheckNext is ErrBadNext unless next is a path on this server.
func CheckNext(next string) error {
	u, err := url.Parse(next)
	if err != nil || len(next) > 512 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || u.Host != "" || u.Scheme != "" ||
		strings.ContainsAny(next, `\`) || strings.ContainsFunc(next, hidden) {
		return ErrBadNext
	}
	return nil
}

// BeginSignIn records an attempt. The browser gets the cookie and goes to
// where; it comes back to the callback within ten minutes.
func (p *People) BeginSignIn(ctx context.Context, next string) (cookie, where string, err error) {
	if p.Provider == nil {
		return "", "", ErrSignInOff
	}
	if next == "" {
		next = "/"
	}
	if err := CheckNext(next); err != nil {
		return "", "", err
	}
	s, err := newSecret()
	if err != nil {
		return "", "", err
	}
	if where, err = p.Provider.begin(attempt{s}); err != nil {
		return "", "", err
	}
	now := p.now()
	err = p.Ledger.AddLogin(ctx, store.Login{Hash: s.hash(), Next: next, Expires: now.Add(loginLife)}, maxLogins, now)
	if errors.Is(err, store.ErrFull) {
		return "", "", &TooManyError{Retry: time.Minute}
	}
	if err != nil {
		return "", "", fmt.Errorf("begin sign-in: %w", err)
	}
	return s.text(), where, nil
}

// Callback is what the browser brings back from the provider.
type Callback struct {
	Cookie string // of BeginSignIn
	State  string
	Code   string
	Error  string // of the provider, instead of a code
	Issuer string // RFC 9207; may be empty
	// Old is the session cookie that the browser had before; its session ends.
	Old string
}

// SignedIn is a new session.
type SignedIn struct {
	Cookie  string
	Next    string
	Session store.Session
}

// FinishSignIn makes a session. Its secret is new, whatever the browser sent.
func (p *People) FinishSignIn(ctx context.Context, c Callback) (SignedIn, error) {
	if p.Provider == nil {
		return SignedIn{}, ErrSignInOff
	}
	login, a, err := p.takeLogin(ctx, c)
	if err != nil {
		return SignedIn{}, err
	}
	if c.Error != "" || c.Code == "" || len(c.Code) > maxCode {
		return SignedIn{}, fmt.Errorf("%w: the provider says %q", ErrSignInFailed, errorCode(c.Error))
	}
	who, err := p.Provider.finish(ctx, a, c.Code)
	if err != nil {
		return SignedIn{}, err
	}
	s, cookie, err := p.newSession(who)
	if err != nil {
		return SignedIn{}, err
	}
	entry := store.Entry{At: s.Created, Who: p.identity(s).Who(), What: "auth.sign-in", Subject: s.ID}
	if err := p.Ledger.AddSession(ctx, s, entry); err != nil {
		return SignedIn{}, fmt.Errorf("sign in: %w", err)
	}
	if err := p.endOld(ctx, c.Old, s); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Cookie: cookie, Next: login.Next, Session: s}, nil
}

var plainCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// errorCode keeps what a stranger wrote into an address out of the log.
func errorCode(s string) string {
	if !plainCode.MatchString(s) {
		return "something else"
	}
	return s
}

// takeLogin finds the attempt that a callback ends, once.
func (p *People) takeLogin(ctx context.Context, c Callback) (store.Login, attempt, error) {
	s, ok := parseSecret(c.Cookie)
	a := attempt{s}
	if !ok || subtle.ConstantTimeCompare([]byte(c.State), []byte(a.state())) != 1 {
		return store.Login{}, a, fmt.Errorf("%w: it was not begun in this browser", ErrSignInFailed)
	}
	login, err := p.Ledger.TakeLogin(ctx, s.hash())
	if errors.Is(err, store.ErrNotFound) {
		return login, a, fmt.Errorf("%w: it is over already", ErrSignInFailed)
	}
	if err != nil {
		return login, a, err
	}
	if !p.now().Before(login.Expires) {
		return login, a, fmt.Errorf("%w: it took longer than %s", ErrSignInFailed, loginLife)
	}
	d, err := p.Provider.discover()
	if err != nil {
		return login, a, err
	}
	if (c.Issuer != "" || d.says.NamesItself) && c.Issuer != p.Provider.config.Issuer {
		return login, a, fmt.Errorf("%w: another provider answered", ErrSignInFailed)
	}
	return login, a, nil
}

// newSession keeps only groups that a grant names.
func (p *People) newSession(who profile) (store.Session, string, error) {
	issuer, now := p.Provider.config.Issuer, p.now()
	var groups []string
	for _, g := range p.Grants {
		if slices.Contains(who.groups, g.Group) && !slices.Contains(groups, g.Group) {
			groups = append(groups, g.Group)
		}
	}
	if len(groups) == 0 {
		return store.Session{}, "", ErrNoGrant
	}
	cookie, err := newSecret()
	return store.Session{
		ID: newID(), Hash: cookie.hash(), Person: issuer + "#" + who.subject, Issuer: issuer, Name: who.name, Groups: groups,
		Created: now, Seen: now, Expires: now.Add(p.Absolute),
	}, cookie.text(), err
}

// endOld ends the session that a browser had before it signed in again.
func (p *People) endOld(ctx context.Context, cookie string, s store.Session) error {
	old, ok := parseSecret(cookie)
	if !ok {
		return nil
	}
	was, err := p.Ledger.SessionByHash(ctx, old.hash())
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		entry := store.Entry{At: s.Created, Who: p.who(was), What: "auth.sign-out", Subject: was.ID, Why: "signed in again"}
		_, err = p.Ledger.EndSessions(ctx, store.SessionQuery{ID: was.ID}, entry)
	}
	return err
}
