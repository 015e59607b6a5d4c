package api_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
)

// ownKeys lets the proxy sign whatever claims a test wants: what a provider of
// another make, or one with another idea of the standard, might say.
func (h *house) ownKeys(change func(claims map[string]any)) *lies {
	h.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	h.must(err)
	text := base64.RawURLEncoding.EncodeToString
	jwks, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "own", "n": text(key.N.Bytes()), "e": text(big.NewInt(int64(key.E)).Bytes()),
	}}})
	h.must(err)
	return &lies{keys: jwks, answer: func(d map[string]any) {
		parts := strings.Split(d["id_token"].(string), ".")
		data, err := base64.RawURLEncoding.DecodeString(parts[1])
		h.must(err)
		var claims map[string]any
		h.must(json.Unmarshal(data, &claims))
		change(claims)
		data, err = json.Marshal(claims)
		h.must(err)
		signed := text([]byte(`{"alg":"RS256","kid":"own"}`)) + "." + text(data)
		sum := sha256.Sum256([]byte(signed))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		h.must(err)
		d["id_token"] = signed + "." + text(signature)
	}}
}

func TestClaimsAreReadStrictly(t *testing.T) {
	for what, c := range map[string]struct {
		change func(claims map[string]any)
		code   string // of the refusal; none if empty
	}{
		"nothing changed":                  {func(map[string]any) {}, ""},
		"for us and another, made for us":  {func(c map[string]any) { c["aud"], c["azp"] = []any{c["aud"], "x"}, c["aud"] }, ""},
		"for us and another, made for him": {func(c map[string]any) { c["aud"], c["azp"] = []any{c["aud"], "x"}, "x" }, contract.CodeSignInFailed},
		"for us and another, made for?":    {func(c map[string]any) { c["aud"] = []any{c["aud"], "x"} }, contract.CodeSignInFailed},
		"for us, made for another":         {func(c map[string]any) { c["azp"] = "x" }, contract.CodeSignInFailed},
		"for another":                      {func(c map[string]any) { c["aud"] = "x" }, contract.CodeSignInFailed},
		"of another issuer":                {func(c map[string]any) { c["iss"] = "https://elsewhere.example" }, contract.CodeSignInFailed},
		"of nobody":                        {func(c map[string]any) { delete(c, "sub") }, contract.CodeSignInFailed},
		"of a subject with a line end":     {func(c map[string]any) { c["sub"] = "li\nwei" }, contract.CodeSignInFailed},
		"of a subject without an end":      {func(c map[string]any) { c["sub"] = strings.Repeat("x", 256) }, contract.CodeSignInFailed},
		"not valid yet":                    {func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() }, contract.CodeSignInFailed},
		"with another nonce":               {func(c map[string]any) { c["nonce"] = strings.Repeat("A", 43) }, contract.CodeSignInFailed},
		"with groups that are no names":    {func(c map[string]any) { c["groups"] = []any{7, nil, map[string]any{}} }, contract.CodeNoGrant},
		"with a group in capitals":         {func(c map[string]any) { c["groups"] = []any{"Release-Managers"} }, contract.CodeNoGrant},
		"without groups":                   {func(c map[string]any) { delete(c, "groups") }, contract.CodeNoGrant},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHouse(t)
			h.idp.lie.Store(h.ownKeys(c.change))
			b := h.browser()
			p := b.get(h.begin(b, "li").String())
			if c.code == "" && p.status != http.StatusSeeOther || c.code != "" && (p.status != http.StatusForbidden || !strings.Contains(p.body, c.code)) {
				t.Errorf("%d %s\n%s", p.status, p.body, &h.log)
			}
		})
	}
}

func TestNamesAreShownOnOnePlainLine(t *testing.T) {
	h := newHouse(t)
	h.idp.lie.Store(h.ownKeys(func(c map[string]any) {
		c["name"] = "Li\n\u202eNa\u200b  " + strings.Repeat("x", 200)
		c["email"] = "li@example.org\u0000"
	}))
	if got := h.signIn(h.browser(), "li").Name; got != "Li Na "+strings.Repeat("x", 94)+" <li@example.org>" {
		t.Errorf("%q", got)
	}
	h.idp.lie.Store(h.ownKeys(func(c map[string]any) { delete(c, "name"); delete(c, "email") }))
	h.stop()
	h.start()
	if got := h.signIn(h.browser(), "li").Name; got != "li" {
		t.Errorf("%q", got)
	}
}
