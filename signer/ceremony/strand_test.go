package ceremony

import (
	"fmt"
	"testing"

	"github.com/candor-ota/candor/manifests"
)

// A build that others need on their way up is recognised, for every model.
func TestStrandsNamesWhoLosesTheWayUp(t *testing.T) {
	release := func(build, min manifests.Build, models ...manifests.Name) manifests.Release {
		return manifests.Release{Build: build, Compatible: manifests.Compatible{Models: models, MinBuild: min}}
	}
	for name, c := range map[string]struct {
		live []manifests.Release
		gone []manifests.Build
		want string
	}{
		"the newest strands nobody":            {[]manifests.Release{release(42, 0, "a"), release(43, 0, "a")}, []manifests.Build{43}, "[]"},
		"an older one neither":                 {[]manifests.Release{release(42, 0, "a"), release(43, 0, "a")}, []manifests.Build{42}, "[]"},
		"a stepping stone does":                {[]manifests.Release{release(42, 0, "a"), release(44, 42, "a")}, []manifests.Build{42}, "[{a 1 41 44 0}]"},
		"with another way it does not":         {[]manifests.Release{release(42, 0, "a"), release(43, 0, "a"), release(44, 42, "a")}, []manifests.Build{42}, "[]"},
		"a shorter way that is left":           {[]manifests.Release{release(42, 0, "a"), release(43, 42, "a"), release(44, 43, "a")}, []manifests.Build{43}, "[{a 1 41 44 42} {a 42 42 44 0}]"},
		"another model's way is none":          {[]manifests.Release{release(42, 0, "a"), release(43, 0, "b"), release(44, 42, "a", "b")}, []manifests.Build{42}, "[{a 1 41 44 0}]"},
		"both of two":                          {[]manifests.Release{release(42, 0, "a"), release(43, 0, "a"), release(44, 42, "a")}, []manifests.Build{42, 43}, "[{a 1 41 44 0}]"},
		"a rollback is a way for its own only": {[]manifests.Release{release(42, 0, "a"), {Build: 43, Compatible: manifests.Compatible{Models: []manifests.Name{"a"}}, Rollback: &manifests.Rollback{Contents: 41, From: []manifests.Build{41}}}, release(44, 42, "a")}, []manifests.Build{42}, "[{a 1 40 44 0}]"},
	} {
		plain := []string{}
		for _, s := range Strands(c.live, c.gone...) {
			plain = append(plain, fmt.Sprint(struct {
				A          manifests.Name
				B, C, D, E manifests.Build
			}{s.Model, s.From, s.To, s.Reach, s.Left}))
		}
		if got := fmt.Sprint(plain); got != c.want {
			t.Errorf("%s: %s, expected %s", name, got, c.want)
		}
	}
}
