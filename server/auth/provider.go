package auth

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// ErrProviderDown: the provider cannot be asked now.
var ErrProviderDown = errors.New("the identity provider does not answer; tokens and sessions work meanwhile")

// ProviderConfig names an OpenID Connect provider and this server at it.
type ProviderConfig struct {
	Issuer       string // exactly as its tokens say it
	ClientID     string
	ClientSecret string
	RedirectURL  string   // exactly as it is registered: ORIGIN/v1/auth/callback
	Scopes       []string // beside openid
	GroupsClaim  string
	CAs          *x509.CertPool // nil: the system's
	Now          func() time.Time
}

// Provider is where people sign in. It is asked for its addresses and keys when
// somebody first signs in, so a provider that is down does not keep the server
// from starting.
type Provider struct {
	config ProviderConfig
	client *http.Client

	mu    sync.Mutex
	found *discovered
}

type discovered struct {
	oauth2   oauth2.Config
	verifier *oidc.IDTokenVerifier
	says     struct {
		JWKS        string   `json:"jwks_uri"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
		NamesItself bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	}
}

const (
	providerTime = 10 * time.Second
	maxAnswer    = 1 << 20
	maxGroups    = 1000
)

// NewProvider asks nobody yet.
func NewProvider(c ProviderConfig) *Provider {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if c.CAs != nil {
		t.TLSClientConfig.RootCAs = c.CAs
	}
	return &Provider{config: c, client: &http.Client{
		Transport: bounded{t}, Timeout: providerTime,
		// A redirect would carry the client's secret to where nobody agreed on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Host is the name of the provider's host, for people.
func (p *Provider) Host() string {
	u, err := url.Parse(p.config.Issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// bounded ends answers that are too long to be honest.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// discover asks the provider once and remembers what it said.
func (p *Provider) discover() (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// go-oidc keeps the context for later fetches of keys, so it is nobody's
	// request; the client has its own deadline.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProviderDown, err)
	}
	d := &discovered{
		oauth2: oauth2.Config{
			ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: provider.Endpoint(),
			RedirectURL: p.config.RedirectURL, Scopes: append([]string{oidc.ScopeOpenID}, p.config.Scopes...),
		},
		verifier: provider.VerifierContext(oidc.ClientContext(context.Background(), p.client), &oidc.Config{ClientID: p.config.ClientID, Now: p.config.Now}),
	}
	if err := provider.Claims(&d.says); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProviderDown, err)
	}
	for _, address := range []string{d.oauth2.Endpoint.AuthURL, d.oauth2.Endpoint.TokenURL, d.says.JWKS} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && strings.HasPrefix(p.config.Issuer, "https:") {
			return nil, fmt.Errorf("%w: it names %q, which is not HTTPS", ErrProviderDown, address)
		}
	}
	// Said rather than tried out: a code that is sent twice looks stolen.
	d.oauth2.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if m := d.says.AuthMethods; len(m) > 0 && !slices.Contains(m, "client_secret_basic") {
		d.oauth2.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	p.found = d
	return d, nil
}

// begin gives the address to which the browser goes.
func (p *Provider) begin(a attempt) (string, error) {
	d, err := p.discover()
	if err != nil {
		return "", err
	}
	return d.oauth2.AuthCodeURL(a.state(), oidc.Nonce(a.nonce()), oauth2.S256ChallengeOption(a.verifier())), nil
}

// profile is what the provider says of who signed in.
type profile struct {
	subject string
	name    string
	groups  []string
}

// finish changes a code into a verified profile.
func (p *Provider) finish(ctx context.Context, a attempt, code string) (profile, error) {
	d, err := p.discover()
	if err != nil {
		return profile{}, err
	}
	tokens, err := d.oauth2.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), code, oauth2.VerifierOption(a.verifier()))
	var refused *oauth2.RetrieveError
	if err != nil && !errors.As(err, &refused) {
		return profile{}, fmt.Errorf("%w: %w", ErrProviderDown, err)
	}
	if err != nil {
		return profile{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := d.verifier.Verify(ctx, raw)
	if err != nil {
		return profile{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.nonce())) != 1 {
		return profile{}, fmt.Errorf("%w: the token was made for another sign-in", errRefused)
	}
	return p.profile(token)
}

// profile reads the claims of a token that is verified.
func (p *Provider) profile(token *oidc.IDToken) (profile, error) {
	var claims struct {
		Party         string `json:"azp"`
		Name          string `json:"name"`
		Email         string `json:"email"`
		EmailVerified *bool  `json:"email_verified"`
	}
	if err := token.Claims(&claims); err != nil {
		return profile{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	// OpenID Connect Core 3.1.3.7: a token for several must be made for us.
	if (len(token.Audience) > 1 || claims.Party != "") && claims.Party != p.config.ClientID {
		return profile{}, fmt.Errorf("%w: the token was made for %q", errRefused, claims.Party)
	}
	if token.Subject == "" || len(token.Subject) > 255 || strings.ContainsFunc(token.Subject, hidden) {
		return profile{}, fmt.Errorf("%w: the token has no usable subject", errRefused)
	}
	if claims.EmailVerified != nil && !*claims.EmailVerified {
		claims.Email = "" // somebody else's, perhaps
	}
	var all map[string]any
	if err := token.Claims(&all); err != nil {
		return profile{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	return profile{subject: token.Subject, name: displayName(claims.Name, claims.Email, token.Subject), groups: groupsOf(all[p.config.GroupsClaim])}, nil
}

// groupsOf reads a list, or a single name.
func groupsOf(claim any) (groups []string) {
	switch v := claim.(type) {
	case string:
		groups = []string{v}
	case []any:
		for _, g := range v[:min(len(v), maxGroups)] {
			if name, ok := g.(string); ok {
				groups = append(groups, name)
			}
		}
	}
	return groups
}

const maxDisplay = 100

// displayName is one line without characters that hide or turn others.
func displayName(name, email, subject string) string {
	clean := func(s string) string {
		s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
			if hidden(r) {
				return ' '
			}
			return r
		}, s)), " ")
		if r := []rune(s); len(r) > maxDisplay {
			s = string(r[:maxDisplay])
		}
		return s
	}
	name, email = clean(name), clean(email)
	switch {
	case name != "" && email != "":
		return name + " <" + email + ">"
	case name+email != "":
		return name + email
	}
	return subject
}
