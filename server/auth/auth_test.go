package auth_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
)

var now = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)

func ledger(t *testing.T) (*sqlite.Ledger, string) {
	t.Helper()
	dir := t.TempDir()
	l, err := sqlite.Create(context.Background(), filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
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
	if who, err := auth.Authenticate(ctx, l, "Bearer "+secret, now); err != nil || who.Name != "ops" || who.Role != auth.Operator {
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
	for _, c := range []struct {
		role auth.Role
		may  map[auth.Permission]bool
	}{
		{auth.Viewer, map[auth.Permission]bool{auth.Read: true}},
		{auth.Engineer, map[auth.Permission]bool{auth.Read: true, auth.Submit: true}},
		{auth.Operator, map[auth.Permission]bool{auth.Read: true, auth.Operate: true}},
		{auth.Admin, map[auth.Permission]bool{auth.Read: true, auth.Submit: true, auth.Operate: true}},
		{"owner", nil},
	} {
		for _, p := range []auth.Permission{auth.Read, auth.Submit, auth.Operate} {
			err := auth.Identity{Role: c.role}.Check(p, "phone")
			if (err == nil) != c.may[p] || err != nil && !errors.Is(err, auth.ErrForbidden) {
				t.Errorf("%s, %s: %v", c.role, p, err)
			}
		}
	}
	limited := auth.Identity{Role: auth.Admin, Products: []manifests.Product{"phone"}}
	if limited.Check(auth.Operate, "phone") != nil || !errors.Is(limited.Check(auth.Operate, "watch"), auth.ErrForbidden) {
		t.Error("the limit to products does not hold")
	}
}
