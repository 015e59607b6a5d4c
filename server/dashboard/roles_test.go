package dashboard

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/auth"
)

var (
	roleLine   = regexp.MustCompile(`(?m)^  (viewer|engineer|operator|admin): \[([^\]]*)\],$`)
	permission = regexp.MustCompile(`'([a-z-]+)'`)
)

// The pages hide what a role may not do; they must not hide anything else.
func TestPagesKnowWhatEachRoleMayDo(t *testing.T) {
	source, err := os.ReadFile("web/src/api/session.svelte.ts")
	if err != nil {
		t.Fatal(err)
	}
	lines := roleLine.FindAllSubmatch(source, -1)
	if len(lines) != 4 {
		t.Fatalf("%d roles", len(lines))
	}
	for _, line := range lines {
		role, err := auth.ParseRole(string(line[1]))
		if err != nil {
			t.Fatal(err)
		}
		var told []auth.Permission
		for _, m := range permission.FindAllSubmatch(line[2], -1) {
			told = append(told, auth.Permission(m[1]))
		}
		who := auth.Identity{Grants: []auth.Grant{{Role: role}}}
		for _, p := range []auth.Permission{auth.Read, auth.Submit, auth.Operate, auth.Approve, auth.Halt, auth.BreakGlass, auth.Administer} {
			if may := who.Check(p, manifests.Product("phone")) == nil; may != slices.Contains(told, p) {
				t.Errorf("%s, %s: the server says %v", role, p, may)
			}
		}
	}
}
