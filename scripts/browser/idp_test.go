package browser_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/candor-ota/candor/scripts/world"
)

// account is somebody whom the provider knows.
type account struct {
	Name   string   `json:"name"`
	Email  string   `json:"email"`
	Proved bool     `json:"email_verified"`
	Groups []string `json:"groups"`
}

// accounts are the people of the tests by their logins.
func accounts() map[string]account {
	of := func(name, group string) account {
		return account{Name: name, Email: strings.ToLower(strings.Fields(name)[0]) + "@example.org", Proved: true, Groups: []string{group}}
	}
	all := map[string]account{
		"vera": of("Vera Viewer", "viewers"), "emil": of("Emil Engineer", "engineers"), "olga": of("Olga Operator", "operators"),
		"oskar": of("Oskar Operator", "operators"), "adam": of("Adam Admin", "admins"), "paula": of("Paula Phone", "phone-operators"),
		"nemo": of("Nemo Nobody", "strangers"),
	}
	for i, name := range hostileNames() {
		all[fmt.Sprintf("mallory%d", i)] = account{Name: name, Groups: []string{"viewers"}}
	}
	return all
}

const grants = `    - {group: viewers, role: viewer}
    - {group: engineers, role: engineer}
    - {group: operators, role: operator}
    - {group: admins, role: admin}
    - {group: phone-operators, role: operator, products: [phone]}
`

// idp is a real OpenID Connect provider on loopback.
type idp struct {
	issuer   string
	redirect string
}

const clientSecret = "only-for-tests-only-for-tests-0123"

// startIDP starts a provider for one redirect address; it ends with the test.
func startIDP(t *testing.T, redirect string) *idp {
	t.Helper()
	root, err := world.Root()
	must(t, err)
	var target *url.URL
	relay := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	t.Cleanup(relay.Close)
	settings, err := json.Marshal(map[string]any{
		"issuer": relay.URL, "registrationToken": clientSecret, "idTokenSeconds": 60, "people": accounts(),
		"clients": []any{map[string]any{"client_id": "candor", "client_secret": clientSecret, "redirect_uris": []string{redirect}}},
	})
	must(t, err)
	cmd := exec.Command(root+"/scripts/oidc/run", string(settings))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		if err := in.Close(); err != nil { // it ends when its standard input does
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	target, err = url.Parse("http://127.0.0.1:" + strings.TrimSpace(port))
	must(t, err)
	return &idp{issuer: relay.URL, redirect: redirect}
}

// config is what a server has to be told to let its people sign in.
func (p *idp) config(t *testing.T) string {
	t.Helper()
	secret := t.TempDir() + "/client-secret"
	must(t, os.WriteFile(secret, []byte(clientSecret+"\n"), 0o600))
	return fmt.Sprintf("oidc:\n  issuer: %s\n  clientID: candor\n  clientSecretFile: %s\n  redirectURL: %s\n  grants:\n%s", p.issuer, secret, p.redirect, grants)
}
