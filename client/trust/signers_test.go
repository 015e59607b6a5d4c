package trust_test

import (
	"slices"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/layout"
)

// A name on a file is no signature: the receipt names those whose signatures hold.
func TestViewNamesOnlyKeysWhoseSignaturesHold(t *testing.T) {
	r := newRepo(t)
	role := layout.ReleasesRole(product)
	idle := newKey(t) // listed, but it did not sign
	var want []string
	for _, k := range r.keys[role] {
		want = append(want, k.id)
	}
	slices.Sort(want)
	for i := range r.top.Signed.Delegations.Roles {
		if d := &r.top.Signed.Delegations.Roles[i]; d.Name == role {
			d.KeyIDs = append(d.KeyIDs, idle.id)
		}
	}
	r.top.Signed.Delegations.Keys[idle.id] = idle.public
	r.open(42)
	r.publish()
	data := r.files[layout.MetadataFile(role, r.rels.Signed.Version-1)]
	m, err := metadata.Targets().FromBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	borrowed := m.Signatures[0]
	borrowed.KeyID = idle.id
	m.Signatures = append(m.Signatures, borrowed)
	if data, err = m.ToBytes(false); err != nil {
		t.Fatal(err)
	}
	r.vouch(role, r.rels.Signed.Version-1, data)
	r.stamp.Signed.Version++
	r.head()
	v, err := r.handset().poll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.SignedBy, want) {
		t.Fatalf("signed by %.12q, want %.12q", v.SignedBy, want)
	}
}
