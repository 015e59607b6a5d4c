package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// idp is a real OpenID Connect provider behind a proxy that speaks TLS for it,
// and can be told to lie.
type idp struct {
	issuer string
	proxy  *httptest.Server
	lie    atomic.Pointer[lies]
	in     io.Closer // its standard input; it ends when that does
}

// lies are what the proxy changes on the way; the provider itself is honest.
type lies struct {
	token    func(form url.Values)         // in a request for tokens
	answer   func(tokens map[string]any)   // in the answer to it
	metadata func(document map[string]any) // in the discovery document
	keys     []byte                        // instead of the keys
	down     bool
}

const (
	registrationToken = "only-for-tests"
	idTokenLife       = time.Minute
)

// provider is started by the first test that needs it and ends with this
// process, whose end closes its standard input.
var provider = sync.OnceValues(func() (*idp, error) { return startProvider() })

// client is one that a provider knows from the start.
type client struct {
	ID       string   `json:"client_id"`
	Secret   string   `json:"client_secret"`
	Redirect []string `json:"redirect_uris"`
}

func startProvider(clients ...client) (*idp, error) {
	p := &idp{}
	p.lie.Store(&lies{})
	var target *url.URL
	relay := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ModifyResponse: p.falsify,
	}
	p.proxy = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := p.lie.Load()
		if l.down {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/jwks" && l.keys != nil {
			_, _ = w.Write(l.keys)
			return
		}
		if r.URL.Path == "/token" && l.token != nil {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			l.token(form)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form.Encode())), int64(len(form.Encode()))
		}
		relay.ServeHTTP(w, r)
	}))
	p.issuer = p.proxy.URL
	settings, err := json.Marshal(map[string]any{
		"issuer": p.issuer, "registrationToken": registrationToken, "idTokenSeconds": int(idTokenLife / time.Second),
		"clients": append([]client{}, clients...),
		"people": map[string]any{
			"li":      map[string]any{"name": "Li Na", "email": "li@example.org", "email_verified": true, "groups": []string{"release-managers", "everyone"}},
			"wei":     map[string]any{"name": "Wei", "email": "li@example.org", "email_verified": false, "groups": []string{"engineers"}},
			"admin":   map[string]any{"name": "Admin", "groups": "admins"},
			"mallory": map[string]any{"name": "Li Na", "email": "li@example.org", "email_verified": true, "groups": []string{"everyone"}},
		},
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("../../scripts/oidc/run", string(settings))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the provider did not start: %w", err)
	}
	target, err = url.Parse("http://127.0.0.1:" + strings.TrimSpace(port))
	return p, err
}

// falsify changes answers as the lies say.
func (p *idp) falsify(resp *http.Response) error {
	l := p.lie.Load()
	change := l.answer
	if strings.HasPrefix(resp.Request.URL.Path, "/.well-known/") {
		change = l.metadata
	} else if resp.Request.URL.Path != "/token" {
		return nil
	}
	if change == nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	var document map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&document); err != nil {
		return err
	}
	change(document)
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

// startIDP gives the honest provider; lies end with the test.
func startIDP(t testing.TB) *idp {
	t.Helper()
	p, err := provider()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.lie.Store(&lies{}) })
	return p
}

// caFile is what has to be trusted to reach it.
func (p *idp) caFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.proxy.Certificate().Raw})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// register makes a client with one exact redirect address.
func (p *idp) register(t testing.TB, redirect string) (id, secret string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"redirect_uris": []string{redirect}, "client_name": "candor"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", p.issuer+"/reg", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+registrationToken)
	r.Header.Set("Content-Type", "application/json")
	resp, err := p.proxy.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&client); err != nil || client.ID == "" || client.Secret == "" {
		t.Fatalf("%s: %+v, %v", resp.Status, client, err)
	}
	return client.ID, client.Secret
}
