package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

func (w *world) make(role auth.Role, body map[string]any) contract.MadeApiToken {
	w.t.Helper()
	return get[contract.MadeApiToken](w, role, "POST", "/v1/api-tokens", body)
}

// bearer makes calls with a token that a test has made.
func (w *world) bearer(name auth.Role, token string) auth.Role {
	w.tokens[name] = token
	return name
}

func TestTokensAreMadeListedAndRevoked(t *testing.T) {
	w := newWorld(t)
	made := w.make(auth.Admin, map[string]any{"name": "ci", "role": "engineer", "products": []string{"phone"}, "scope": []string{"read", "submit"}})
	if made.Warning != nil || made.Expires == nil || !made.Expires.Equal(w.now().Add(90*24*time.Hour)) {
		t.Errorf("%+v", made)
	}
	ci := w.bearer("ci", made.Token)
	who := get[contract.Caller](w, ci, "GET", "/v1/auth/session", nil)
	admin := get[contract.Caller](w, auth.Admin, "GET", "/v1/auth/session", nil)
	if who.Kind != contract.CallerKindToken || who.Person != admin.Person || who.Csrf != nil || len(who.Permissions) != 2 || !who.Expires.Equal(*made.Expires) {
		t.Errorf("%+v", who)
	}
	list := get[contract.ApiTokenList](w, auth.Admin, "GET", "/v1/api-tokens", nil)
	if len(list.Tokens) != 5 || list.Tokens[0].Id != made.Id && list.Tokens[4].Id == "" {
		t.Errorf("%+v", list)
	}
	if status, _, data := w.call(auth.Admin, "GET", "/v1/api-tokens", nil); status != 200 || strings.Contains(string(data), made.Token) {
		t.Error("a list holds a secret")
	}
	for range 2 {
		if status, _, data := w.call(auth.Admin, "DELETE", "/v1/api-tokens/"+made.Id, nil); status != http.StatusNoContent {
			t.Errorf("%d %s", status, data)
		}
	}
	w.refused(401, contract.CodeUnauthorized, ci, "GET", "/v1/products", nil)
	w.refused(404, contract.CodeNotFound, auth.Admin, "DELETE", "/v1/api-tokens/none", nil)
	entries, err := w.ledger.Entries(ctx, store.EntryQuery{Subject: made.Id})
	w.must(err)
	if len(entries) != 2 || entries[0].What != "token.new" || entries[1].What != "token.revoke" || !strings.Contains(entries[1].Who, "of local:admin") {
		t.Errorf("%+v", entries)
	}
}

func TestTokenThatNeverExpiresIsWarnedAbout(t *testing.T) {
	w := newWorld(t)
	made := w.make(auth.Admin, map[string]any{"name": "ci", "role": "viewer", "expires": "never"})
	if made.Warning == nil || made.Expires != nil || !strings.Contains(w.log.String(), "never expires") {
		t.Errorf("%+v\n%s", made, &w.log)
	}
	short := w.make(auth.Admin, map[string]any{"name": "ci", "role": "viewer", "expires": "1h"})
	w.wait(time.Hour)
	w.refused(401, contract.CodeUnauthorized, w.bearer("short", short.Token), "GET", "/v1/products", nil)
	for _, expires := range []string{"soon", "0s", "-1h"} {
		w.refused(400, contract.CodeBadRequest, auth.Admin, "POST", "/v1/api-tokens", map[string]any{"name": "ci", "role": "viewer", "expires": expires})
	}
}

func TestNobodyGivesWhatTheyDoNotHave(t *testing.T) {
	w := newWorld(t)
	minter := w.bearer("minter", w.make(auth.Admin, map[string]any{"name": "minter", "role": "admin", "scope": []string{"administer", "read"}}).Token)
	w.make(minter, map[string]any{"name": "reader", "role": "viewer"})
	w.make(minter, map[string]any{"name": "reader", "role": "admin", "scope": []string{"read"}, "products": []string{"phone"}})
	for _, body := range []map[string]any{
		{"name": "x", "role": "admin"}, {"name": "x", "role": "operator"}, {"name": "x", "role": "engineer", "scope": []string{"submit"}, "products": []string{"phone"}},
	} {
		w.refused(403, contract.CodeForbidden, minter, "POST", "/v1/api-tokens", body)
	}
	local := w.bearer("local", w.make(auth.Admin, map[string]any{"name": "local", "role": "admin", "products": []string{"phone"}}).Token)
	w.refused(403, contract.CodeForbidden, local, "POST", "/v1/api-tokens", map[string]any{"name": "x", "role": "viewer", "products": []string{"phone"}})
	w.refused(403, contract.CodeForbidden, local, "GET", "/v1/api-tokens", nil)
	w.refused(400, contract.CodeBadRequest, auth.Admin, "POST", "/v1/api-tokens", map[string]any{"name": "x", "role": "viewer", "scope": []string{"halt"}})
	w.refused(400, contract.CodeBadRequest, auth.Admin, "POST", "/v1/api-tokens", map[string]any{"name": "x\u202ey", "role": "viewer"})
	w.refused(400, contract.CodeBadRequest, auth.Admin, "POST", "/v1/api-tokens", map[string]any{"name": "x", "role": "god"})
	w.refused(400, contract.CodeBadRequest, auth.Admin, "POST", "/v1/api-tokens", map[string]any{"name": "x", "role": "viewer", "person": "local:wei"})
}

func TestTokenOfASessionIsTheSamePerson(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	admin := h.signIn(b, "admin")
	status, data := h.ask(b, "POST", "/v1/api-tokens", []byte(`{"name":"wei's laptop","role":"operator"}`), h.ours(admin)...)
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, data)
	}
	list, err := h.ledger.Tokens(ctx)
	h.must(err)
	for _, made := range list {
		if made.Name == "wei's laptop" && made.Owner == admin.Person {
			return
		}
	}
	t.Error("an admin made himself a second person")
}

func TestTokenOfAnotherProductIsRefused(t *testing.T) {
	w := ready(t, 42)
	id := w.rollout(42).Id
	watch := w.bearer("watch", w.make(auth.Admin, map[string]any{"name": "watch", "role": "admin", "products": []string{"watch"}}).Token)
	for _, path := range []string{"/v1/products/phone/releases", "/v1/products/phone/releases/42/counts", "/v1/products/phone/releases/42/vote-keys", "/v1/rollouts/" + id} {
		w.refused(403, contract.CodeForbidden, watch, "GET", path, nil)
	}
	w.refused(403, contract.CodeForbidden, watch, "POST", "/v1/rollouts", plan(42))
	w.refused(403, contract.CodeForbidden, watch, "POST", "/v1/rollouts/"+id+"/halt", map[string]string{"reason": "x"})
	w.refused(403, contract.CodeForbidden, watch, "POST", "/v1/submissions", submission(w.Add(w.Release(43))))
	if list := get[contract.ProductList](w, watch, "GET", "/v1/products", nil); len(list.Products) != 0 {
		t.Errorf("%+v", list)
	}
	if list := get[contract.RolloutList](w, watch, "GET", "/v1/rollouts", nil); len(list.Rollouts) != 0 {
		t.Errorf("%+v", list)
	}
}
