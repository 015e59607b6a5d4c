package config_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/config"
)

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, err := config.Parse([]byte("listen: nowhere\nadmin: 0.0.0.0:81\ntls: {cert: /no/cert, key: /no/key}\ns3: {endpoint: '', bucket: 'A', accessKeyFile: /no/a, secretKeyFile: /no/b}\n"))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{"listen", "admin", "tls.cert", "tls.key", "s3.endpoint", "s3.bucket", "s3.accessKeyFile", "s3.secretKeyFile"} {
		if !strings.Contains(err.Error(), `"`+field+`"`) {
			t.Errorf("%s is not named in:\n%v", field, err)
		}
	}
}

func TestMistakesAboutPeopleAreReportedAtOnce(t *testing.T) {
	_, err := config.Parse([]byte(`
oidc:
  issuer: http://id.example.org
  clientID: ""
  clientSecretFile: /no/secret
  redirectURL: https://ota.example.org/elsewhere
  scopes: ["two words"]
  caFile: /no/ca
  grants: [{group: "", role: viewer}, {group: a, role: god}, {group: a, role: viewer, products: [Phone]}]
sessions: {idle: 25h, absolute: 24h}
trustedProxies: [proxy, 0.0.0.0/0]
`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{
		"oidc.issuer", "oidc.clientID", "oidc.clientSecretFile", "oidc.redirectURL", "oidc.scopes", "oidc.caFile",
		"oidc.grants[0]", "oidc.grants[1]", "oidc.grants[2]", "sessions", "trustedProxies",
	} {
		if !strings.Contains(err.Error(), `"`+field+`"`) {
			t.Errorf("%s is not named in:\n%v", field, err)
		}
	}
	if _, err := config.Parse([]byte("oidc: {issuer: 'https://a.example', clientID: a, clientSecretFile: /dev/null, redirectURL: 'https://b.example/v1/auth/callback', grants: []}\n")); err == nil || !strings.Contains(err.Error(), "oidc.grants") {
		t.Errorf("nobody may do anything: %v", err)
	}
}

func TestSecretsOfPeopleAreNotSentInTheClear(t *testing.T) {
	for address, fine := range map[string]bool{
		"https://ota.example.org/v1/auth/callback": true, "http://127.0.0.1:8080/v1/auth/callback": true, "http://localhost/v1/auth/callback": true,
		"http://ota.example.org/v1/auth/callback": false, "https://a:b@ota.example.org/v1/auth/callback": false, "https://ota.example.org/v1/auth/callback?x=1": false,
		"//ota.example.org/v1/auth/callback": false, "ftp://ota.example.org/v1/auth/callback": false,
	} {
		_, err := config.Parse([]byte("oidc: {issuer: 'https://a.example', clientID: a, clientSecretFile: /dev/null, redirectURL: '" + address + "', grants: [{group: a, role: viewer}]}\n"))
		if (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestUnknownFieldRefused(t *testing.T) {
	if _, err := config.Parse([]byte("lisen: 127.0.0.1:1\n")); err == nil {
		t.Fatal("a mistyped field was ignored")
	}
}

func TestZeroValuesAreUseful(t *testing.T) {
	f, err := config.Parse([]byte("votes: {minKeyAge: 0s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Listen != config.DefaultListen || f.Admin != config.DefaultAdmin || f.Votes.KeyAge() != 0 || f.Votes.GraceTime() != 24*time.Hour {
		t.Errorf("got %+v", f)
	}
}

func TestInitMakesEverythingOnceAndPrivately(t *testing.T) {
	ctx, d := context.Background(), config.Dir(filepath.Join(t.TempDir(), "data"))
	if err := config.Create(ctx, d); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{d.Keys(), d.Tree(), d.Uploads(), string(d)} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	for _, name := range []string{d.VoteMaster(), d.Ledger(), filepath.Join(d.Keys(), "timestamp.pem")} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if _, err := d.Load(); err != nil {
		t.Error(err)
	}
	if m, err := d.LoadMaster(); err != nil || m == [32]byte{} {
		t.Errorf("master: %v", err)
	}
	data, err := os.ReadFile(d.OnlineKeys())
	if err != nil {
		t.Fatal(err)
	}
	var online map[string]struct {
		KeyID string `json:"keyid"`
		Key   any    `json:"key"`
	}
	if err := json.Unmarshal(data, &online); err != nil || len(online) != 3 || len(online["snapshot"].KeyID) != 64 {
		t.Errorf("online keys: %v\n%s", err, data)
	}
	if err := config.Create(ctx, d); !errors.Is(err, config.ErrExists) {
		t.Errorf("init over a data directory: %v", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	d := config.Dir(filepath.Join(t.TempDir(), "data"))
	if err := config.Create(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	first, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestRunCreatesNothing(t *testing.T) {
	d := config.Dir(filepath.Join(t.TempDir(), "data"))
	if _, err := d.Load(); err == nil || !strings.Contains(err.Error(), "init") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(string(d)); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was created")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("listen: 127.0.0.1:8080\n"))
	f.Add([]byte("s3: {bucket: x}\n"))
	f.Add([]byte("oidc: {issuer: 'https://a.example', grants: [{group: a, role: viewer, products: [phone]}]}\nsessions: {idle: 1h}\ntrustedProxies: [127.0.0.1]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := config.Parse(data); err == nil && c.Listen == "" {
			t.Error("no default")
		}
	})
}
