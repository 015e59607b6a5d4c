package auth_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

var now = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)

func ledger(t *testing.T) (*sqlite.Ledger, string) {
	t.Helper()
	dir := t.TempDir()
	l := sqlitetest.NewLedger(t, filepath.Join(dir, "ledger.db"))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, dir
}

func TestTokenIsStoredHashedOnly(t *testing.T) {
	l, dir := ledger(t)
	_, secret, err := auth.Create(context.Background(), l, auth.NewToken{Name: "ci", Role: auth.Engineer, By: "test"}, now)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(secret[10:])) {
			t.Errorf("%s holds the secret", f.Name())
		}
	}
}

func TestTokenEndsWhenItExpiresOrIsRevoked(t *testing.T) {
	ctx := context.Background()
	l, _ := ledger(t)
	id, secret, err := auth.Create(ctx, l, auth.NewToken{Name: "ops", Role: auth.Operator, Expires: now.Add(time.Hour), By: "test"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := auth.Authenticate(ctx, l, "Bearer "+secret, now); err != nil || who.Name != "ops" || who.Check(auth.Operate, "phone") != nil {
		t.Fatalf("%+v, %v", who, err)
	}
	if _, err := auth.Authenticate(ctx, l, "Bearer "+secret, now.Add(time.Hour)); !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("expired: %v", err)
	}
	if err := l.RevokeToken(ctx, id, store.Entry{At: now, Who: "test", What: "token.revoke", Subject: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.Authenticate(ctx, l, "Bearer "+secret, now); !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("revoked: %v", err)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	l, _ := ledger(t)
	for _, header := range []string{"", "Bearer", "Bearer candor_", "Basic candor_x", "Bearer candor_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := auth.Authenticate(context.Background(), l, header, now); !errors.Is(err, auth.ErrUnauthorized) {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestRolesDoWhatTheyAreFor(t *testing.T) {
	every := []auth.Permission{auth.Read, auth.Submit, auth.Operate, auth.Approve, auth.Halt, auth.BreakGlass, auth.Administer}
	for role, may := range map[auth.Role][]auth.Permission{
		auth.Viewer:   {auth.Read},
		auth.Engineer: {auth.Read, auth.Submit, auth.Halt},
		auth.Operator: {auth.Read, auth.Operate, auth.Approve, auth.Halt},
		auth.Admin:    every,
		"owner":       nil,
	} {
		who := auth.Identity{Grants: []auth.Grant{{Role: role}}}
		for _, p := range every {
			if err := who.Check(p, "phone"); (err == nil) != slices.Contains(may, p) || err != nil && !errors.Is(err, auth.ErrForbidden) {
				t.Errorf("%s, %s: %v", role, p, err)
			}
		}
		if got := who.Permissions(); !slices.Equal(got, may) {
			t.Errorf("%s says that it may %v", role, got)
		}
	}
}

func TestGrantsAreForTheirProducts(t *testing.T) {
	who := auth.Identity{Grants: []auth.Grant{
		{Role: auth.Admin, Products: []manifests.Product{"phone"}},
		{Role: auth.Viewer, Products: []manifests.Product{"watch"}},
	}}
	for _, c := range []struct {
		need    auth.Permission
		product manifests.Product
		may     bool
	}{
		{auth.BreakGlass, "phone", true},
		{auth.Read, "watch", true},
		{auth.Operate, "watch", false},
		{auth.Read, "band", false},
		{auth.Operate, "", true},
	} {
		if err := who.Check(c.need, c.product); (err == nil) != c.may {
			t.Errorf("%s of %q: %v", c.need, c.product, err)
		}
	}
	if who.CheckEverywhere(auth.Administer) == nil {
		t.Error("an admin of one product administers all")
	}
	all := auth.Identity{Grants: []auth.Grant{{Role: auth.Admin}}}
	if all.CheckEverywhere(auth.Administer) != nil {
		t.Error("an admin of all products does not administer")
	}
	all.Scope = []auth.Permission{auth.Read}
	if all.CheckEverywhere(auth.Administer) == nil || all.Check(auth.Halt, "phone") == nil || all.Check(auth.Read, "phone") != nil {
		t.Error("the scope does not hold")
	}
}

func TestTwoTokensOfOneOwnerAreOnePerson(t *testing.T) {
	l, _ := ledger(t)
	person := func(n auth.NewToken) string {
		t.Helper()
		n.Role, n.By = auth.Operator, "test"
		_, secret, err := auth.Create(t.Context(), l, n, now)
		if err != nil {
			t.Fatal(err)
		}
		who, err := auth.Authenticate(t.Context(), l, "Bearer "+secret, now)
		if err != nil {
			t.Fatal(err)
		}
		return who.Person()
	}
	laptop := person(auth.NewToken{Name: "li's laptop", Owner: "https://id.example.org#42"})
	if laptop != person(auth.NewToken{Name: "li's CI", Owner: "https://id.example.org#42"}) || laptop != "https://id.example.org#42" {
		t.Error("two tokens of one owner are two people")
	}
	first, second := person(auth.NewToken{Name: "li"}), person(auth.NewToken{Name: "li"})
	if first != second || first == person(auth.NewToken{Name: "wei"}) {
		t.Error("a name is not a person")
	}
}

func TestBadTokensAreNotMade(t *testing.T) {
	l, _ := ledger(t)
	for what, n := range map[string]auth.NewToken{
		"no name":           {Role: auth.Viewer},
		"a name of 2 lines": {Role: auth.Viewer, Name: "a\nb"},
		"a turned name":     {Role: auth.Viewer, Name: "a\u202eb"},
		"no role":           {Name: "a"},
		"a turned owner":    {Role: auth.Viewer, Name: "a", Owner: "local:\u200bli"},
		"too wide a scope":  {Role: auth.Engineer, Name: "a", Scope: []auth.Permission{auth.Approve}},
	} {
		if _, _, err := auth.Create(t.Context(), l, n, now); err == nil {
			t.Errorf("%s: made", what)
		}
	}
}
