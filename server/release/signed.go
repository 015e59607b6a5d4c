package release

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// SignedRole is one role as it stands in published files: whose keys count, and
// which of them signed it.
type SignedRole struct {
	Role      string
	Version   int64
	Expires   time.Time
	Threshold int
	Keys      []SignedKey // in the order of the role table
}

// SignedKey is a key that counts for a role.
type SignedKey struct {
	Person
	Scheme string // "ed25519" or "ecdsa-sha2-nistp256"
	Signed bool   // its signature was verified just now
}

// Signatures tells who signed the list of releases of a product, targets and
// root, in that order, by published files of the tree (path to bytes) that hold
// one version of each but root, of which the newest counts. Every signature is
// verified: that a key is named beside one proves nothing.
func Signatures(product manifests.Product, tree map[string][]byte) ([]SignedRole, error) {
	var f files
	for v := int64(1); tree[layout.MetadataFile(metadata.ROOT, v)] != nil; v++ {
		f.roots = append(f.roots, tree[layout.MetadataFile(metadata.ROOT, v)])
	}
	role := layout.ReleasesRole(product)
	for path, body := range tree {
		switch {
		case strings.HasSuffix(path, "."+metadata.TARGETS+".json"):
			f.targets = body
		case strings.HasSuffix(path, "."+role+".json"):
			f.releases = body
		}
	}
	s, err := f.parse(product)
	if err != nil {
		return nil, err
	}
	if s.root == nil || s.targets == nil || s.releases == nil {
		return nil, fmt.Errorf("signatures of %s: root, targets or the list of releases is missing", product)
	}
	out := []SignedRole{
		{Role: role, Version: s.releases.Signed.Version, Expires: s.releases.Signed.Expires},
		{Role: metadata.TARGETS, Version: s.targets.Signed.Version, Expires: s.targets.Signed.Expires},
		{Role: metadata.ROOT, Version: s.root.Signed.Version, Expires: s.root.Signed.Expires},
	}
	for i, signatures := range [][]metadata.Signature{s.releases.Signatures, s.targets.Signatures, s.root.Signatures} {
		if err := out[i].fill(s, signatures); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fill adds the role's keys, and which of them signed.
func (r *SignedRole) fill(s *parsed, signatures []metadata.Signature) error {
	payload, err := s.payload(r.Role)
	if err != nil {
		return err
	}
	table := s.row(r.Role)
	r.Threshold = table.threshold
	for _, id := range table.ids {
		k := SignedKey{Person: Person{KeyID: id, Holder: table.holders[id]}}
		if key := table.keys[id]; key != nil {
			k.Scheme = key.Scheme
			for _, sig := range signatures {
				k.Signed = k.Signed || sig.KeyID == id && keyVerifier(key)(payload, sig.Signature)
			}
		}
		r.Keys = append(r.Keys, k)
	}
	return nil
}

// RootWords names a root file by the hash of what it signs, in words, as
// candor-signer shows it to people who accept one.
func RootWords(file []byte) (string, error) {
	root, err := parseRoot(metadata.ROOT, file)
	if err != nil {
		return "", err
	}
	payload, err := (&parsed{root: root}).payload(metadata.ROOT)
	if err != nil {
		return "", err
	}
	raw, err := hex.DecodeString(fingerprint(payload))
	return manifests.SHA256(raw).Words(), err
}
