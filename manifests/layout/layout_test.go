package layout_test

import (
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

func TestReleasePathsRoundTripAndNothingElseIsOne(t *testing.T) {
	p, b, err := layout.ParseReleasePath(layout.ReleasePath("xiaomi-optin", 42))
	if err != nil || p != "xiaomi-optin" || b != 42 {
		t.Fatal(p, b, err)
	}
	for _, bad := range []string{"", "releases/a/1", "releases/a/01.json", "releases/../1.json", "releases/A/1.json", "releases/a/b/1.json", "rollouts/a.json", "releases/a/0.json", "releases/a/1.json.json"} {
		if _, _, err := layout.ParseReleasePath(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestPublishedNames(t *testing.T) {
	h := manifests.SumSHA256(nil)
	for got, want := range map[string]string{
		layout.TargetFile("releases/a/7.json", h):               "targets/releases/a/" + h.String() + ".7.json",
		layout.TargetFile("rollouts/a.json", h):                 "targets/rollouts/" + h.String() + ".a.json",
		layout.MetadataFile("timestamp", 9):                     "metadata/timestamp.json",
		layout.MetadataFile("releases-a", 3):                    "metadata/3.releases-a.json",
		layout.BlobFile(h):                                      "blobs/" + h.String(),
		layout.ReleasesRole("a"):                                "releases-a",
		layout.ReleasesPattern("a"):                             "releases/a/*.json",
		string(must(layout.ReleasesRoleProduct("releases-ab"))): "ab",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func must(p manifests.Product, ok bool) manifests.Product {
	if !ok {
		return ""
	}
	return p
}

func TestOnlyRootsAreAskedForBeforeTheyExist(t *testing.T) {
	for path, want := range map[string]bool{
		"metadata/1.root.json": true, "metadata/4294967296.root.json": true, "metadata/99999999999.root.json": false, "metadata/.root.json": false,
		"metadata/a.root.json": false, "metadata/1.snapshot.json": false, "metadata/1.root.json.x": false, "targets/1.root.json": false, "1.root.json": false,
		"metadata/-1.root.json": false, "metadata/timestamp.json": false, "": false,
	} {
		if layout.IsRootFile(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}
