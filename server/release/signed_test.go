package release_test

import (
	"slices"
	"testing"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/release/releasetest"
)

// A name beside a signature proves nothing: only one that holds is told.
func TestSignatureThatDoesNotHoldIsNotTold(t *testing.T) {
	keys, err := publish.CreateKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := releasetest.New(t, keys)
	tree := map[string][]byte{}
	for name, body := range releasetest.Join(m.Init(), m.Product(releasetest.Phone)).Metadata {
		tree[layout.MetadataDir+"/"+name] = body
	}
	delete(tree, "metadata/1.targets.json")
	list := m.Releases[releasetest.Phone]
	other := list.Signatures[1]
	list.Signatures[1].Signature = list.Signatures[0].Signature // under the other's name
	if tree["metadata/1.releases-phone.json"], err = list.ToBytes(false); err != nil {
		t.Fatal(err)
	}
	roles, err := release.Signatures(releasetest.Phone, tree)
	if err != nil {
		t.Fatal(err)
	}
	var signed []string
	for _, k := range roles[0].Keys {
		if k.Signed {
			signed = append(signed, k.KeyID)
		}
	}
	if len(roles) != 3 || roles[0].Threshold != 2 || len(roles[0].Keys) != 2 || !slices.Equal(signed, []string{list.Signatures[0].KeyID}) || signed[0] == other.KeyID {
		t.Errorf("%+v", roles)
	}
	delete(tree, "metadata/1.root.json")
	if _, err := release.Signatures(releasetest.Phone, tree); err == nil {
		t.Error("without a root nobody's key counts")
	}
}
