package world_test

import (
	"strings"
	"testing"
)

// A release that nobody needs is retired by its engineers, archived by the
// server, and verified by anybody from there; what is left keeps every rule.
func TestRetiredReleaseStaysVerifiable(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	release(t, w, 43, atOnce)
	openToAll(t, w, 43)
	if err := w.Retire(ctx, product); err != nil {
		t.Fatal(err)
	}
	said := func(want string, args ...string) {
		t.Helper()
		out, err := w.Exec(ctx, "signer", args...)
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	archived := "/archive/" + string(product) + "/42.retired.json"
	said("build 42 of "+string(product)+", retired", "archive", "verify", w.Server+archived)
	said("holds  retired: by list", "archive", "verify", w.Path("data", "tree", archived))
	said("files keep every rule", "lint", "--server", w.Server)
	said("next word promised in 59 days", "expiring", "--server", w.Server)
	if _, err := w.Exec(ctx, "signer", "archive", "verify", w.Server+"/archive/"+string(product)+"/43.retired.json"); err == nil {
		t.Error("a live release is archived")
	}
	if _, err := w.Exec(ctx, "signer", "retire", string(product), "43", "--server", w.Server); err == nil {
		t.Error("the newest release can be retired")
	}
}
