package config

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/auth"
)

// CallbackPath is where the provider sends browsers back to.
const CallbackPath = "/v1/auth/callback"

// OIDC names the OpenID Connect provider at which people sign in.
type OIDC struct {
	// Issuer is the provider's name for itself, an HTTPS address (HTTP on
	// loopback, for tests), exactly as its tokens say it.
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientID"`
	// ClientSecretFile holds the secret on one line.
	ClientSecretFile string `json:"clientSecretFile"`
	// RedirectURL is this server as browsers see it, and CallbackPath; it is
	// registered at the provider like this.
	RedirectURL string `json:"redirectURL"`
	// GroupsClaim is the claim of the ID token that lists groups; groups if
	// empty.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Scopes are asked for beside openid; profile and email if absent. Some
	// providers give groups only to who asks for a scope of that name.
	Scopes []string `json:"scopes,omitempty"`
	// CAFile is a PEM file of the authorities to trust instead of the system's.
	CAFile string `json:"caFile,omitempty"`
	// Grants say what the members of groups may do. Who is in none of them may
	// do nothing.
	Grants []Grant `json:"grants"`
}

// Grant gives the members of a group a role for some products; for all if
// Products is empty.
type Grant struct {
	Group    string   `json:"group"`
	Role     string   `json:"role"`
	Products []string `json:"products,omitempty"`
}

// Sessions says how long people stay signed in.
type Sessions struct {
	// Idle is how long a session lasts without being used; 8h if absent.
	Idle *manifests.Duration `json:"idle,omitempty"`
	// Absolute is how long it lasts at most; 24h if absent.
	Absolute *manifests.Duration `json:"absolute,omitempty"`
}

// IdleTime gives Idle or its default.
func (s Sessions) IdleTime() time.Duration { return orDefault(s.Idle, auth.DefaultIdle) }

// AbsoluteTime gives Absolute or its default.
func (s Sessions) AbsoluteTime() time.Duration { return orDefault(s.Absolute, auth.DefaultAbsolute) }

// say reports a mistake in a field.
type say func(field, format string, args ...any)

const (
	maxSession = 30 * 24 * time.Hour
	maxGrants  = 1000
)

// validatePeople reports the mistakes about people and where they come from.
func (f *File) validatePeople(say say) {
	if idle, most := f.Sessions.IdleTime(), f.Sessions.AbsoluteTime(); idle < time.Minute || idle > most || most > maxSession {
		say("sessions", "idle %s and absolute %s: use at least 1m, idle up to absolute, absolute up to 30d", idle, most)
	}
	for _, p := range f.TrustedProxies {
		if _, err := netip.ParseAddr(p); err == nil {
			continue
		}
		if n, err := netip.ParsePrefix(p); err != nil || n.Bits() == 0 {
			say("trustedProxies", "%q is not an address or a network smaller than everything", p)
		}
	}
	if f.OIDC != nil {
		f.OIDC.validate(say)
	}
	f.validateOrigin(say)
}

func (f *File) validateOrigin(say say) {
	if f.Origin == "" {
		return
	}
	if err := webAddress(f.Origin); err != nil {
		say("origin", "%v", err)
	} else if u, err := url.Parse(f.Origin); err != nil || u.Scheme+"://"+u.Host != f.Origin {
		say("origin", "%q has more than scheme, host and port", f.Origin)
	} else if f.OIDC != nil && !strings.HasPrefix(f.OIDC.RedirectURL, f.Origin+"/") {
		say("origin", "%q is not where oidc.redirectURL leads: %q", f.Origin, f.OIDC.RedirectURL)
	}
}

func (o *OIDC) validate(say say) {
	if err := webAddress(o.Issuer); err != nil {
		say("oidc.issuer", "%v", err)
	}
	if err := webAddress(o.RedirectURL); err != nil {
		say("oidc.redirectURL", "%v", err)
	} else if u, err := url.Parse(o.RedirectURL); err != nil || u.Path != CallbackPath {
		say("oidc.redirectURL", "%q does not end in %s after the host", o.RedirectURL, CallbackPath)
	}
	if strings.TrimSpace(o.ClientID) == "" || len(o.ClientID) > 256 {
		say("oidc.clientID", "%q is not what a provider calls a client", o.ClientID)
	}
	if _, err := os.Stat(o.ClientSecretFile); err != nil {
		say("oidc.clientSecretFile", "%v", err)
	}
	if o.CAFile != "" {
		if _, err := os.Stat(o.CAFile); err != nil {
			say("oidc.caFile", "%v", err)
		}
	}
	for _, s := range o.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\r\n") {
			say("oidc.scopes", "%q is not one scope", s)
		}
	}
	if n := len(o.Grants); n < 1 || n > maxGrants {
		say("oidc.grants", "%d grants; give 1 to %d, or nobody may do anything", n, maxGrants)
	}
	for i, g := range o.Grants {
		if _, err := g.parse(); err != nil {
			say(fmt.Sprintf("oidc.grants[%d]", i), "%v", err)
		}
	}
}

func (g Grant) parse() (auth.GroupGrant, error) {
	out := auth.GroupGrant{Group: g.Group}
	if g.Group == "" || len(g.Group) > 256 {
		return out, fmt.Errorf("group %q is not a name of 1 to 256 bytes", g.Group)
	}
	var err error
	if out.Role, err = auth.ParseRole(g.Role); err != nil {
		return out, err
	}
	for _, text := range g.Products {
		p, err := manifests.ParseProduct(text)
		if err != nil {
			return out, err
		}
		out.Products = append(out.Products, p)
	}
	return out, nil
}

// webAddress refuses what would send secrets over a network in the clear.
func webAddress(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not an address such as https://id.example.org", text)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%q is not HTTPS; plain HTTP is for loopback only", text)
}

// maxSecret bounds the file with the client's secret, in bytes.
const maxSecret = 4096

// PeopleLedger is the part of the ledger that is needed for people.
type PeopleLedger interface {
	auth.Sessions
	auth.TokenReader
}

// People makes what lets people sign in, over the ledger's sessions and tokens;
// with nil for a provider if none is configured. Nothing is asked of the
// provider yet.
func (f *File) People(ledger PeopleLedger, now func() time.Time) (*auth.People, error) {
	p := &auth.People{Ledger: ledger, Tokens: ledger, Origin: f.Origin, Now: now, Idle: f.Sessions.IdleTime(), Absolute: f.Sessions.AbsoluteTime()}
	o := f.OIDC
	if o == nil {
		return p, nil
	}
	u, err := url.Parse(o.RedirectURL)
	if err != nil {
		return nil, fmt.Errorf("oidc.redirectURL: %w", err)
	}
	p.Origin = u.Scheme + "://" + u.Host
	for _, g := range o.Grants {
		grant, err := g.parse()
		if err != nil {
			return nil, fmt.Errorf("oidc.grants: %w", err)
		}
		p.Grants = append(p.Grants, grant)
	}
	c := auth.ProviderConfig{
		Issuer: o.Issuer, ClientID: o.ClientID, RedirectURL: o.RedirectURL, Scopes: o.Scopes, GroupsClaim: o.GroupsClaim, Now: now,
	}
	if c.Scopes == nil {
		c.Scopes = []string{"profile", "email"}
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = "groups"
	}
	secret, err := os.ReadFile(o.ClientSecretFile)
	if err != nil {
		return nil, fmt.Errorf("oidc.clientSecretFile: %w", err)
	}
	c.ClientSecret = strings.TrimSpace(string(secret))
	if c.ClientSecret == "" || len(c.ClientSecret) > maxSecret {
		return nil, fmt.Errorf("oidc.clientSecretFile: %s does not hold a secret on one line", o.ClientSecretFile)
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("oidc.caFile: %w", err)
		}
		c.CAs = x509.NewCertPool()
		if !c.CAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("oidc.caFile: %s holds no certificate", o.CAFile)
		}
	}
	p.Provider = auth.NewProvider(c)
	return p, nil
}
