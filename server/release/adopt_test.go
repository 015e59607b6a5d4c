package release_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
)

// old is a root of another tool: one RSA key, expired, with fields of its own.
func (w *world) old(version int64, key *rsa.PrivateKey) *metadata.Metadata[metadata.RootType] {
	w.t.Helper()
	public, err := metadata.KeyFromPublicKey(key.Public())
	w.must(err)
	root := metadata.Root(w.Now.AddDate(0, 0, -1))
	root.Signed.Version = version
	root.Signed.UnrecognizedFields = map[string]any{"x-tuf-on-ci-signing-period": 60}
	root.Signed.Keys["old-key"] = public
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		root.Signed.Roles[role] = &metadata.Role{KeyIDs: []string{"old-key"}, Threshold: 1}
	}
	return root
}

func (w *world) sealed(root *metadata.Metadata[metadata.RootType], key *rsa.PrivateKey, more ...metadata.Signature) []byte {
	w.t.Helper()
	signer, err := signature.LoadRSAPSSSigner(key, crypto.SHA256, &rsa.PSSOptions{Hash: crypto.SHA256})
	w.must(err)
	root.ClearSignatures()
	if _, err := root.Sign(signer); err != nil {
		w.t.Fatal(err)
	}
	root.Signatures[0].KeyID = "old-key"
	root.Signatures = append(root.Signatures, more...)
	data, err := root.ToBytes(false)
	w.must(err)
	return data
}

// adopted is a submission that goes on from two roots of another tool.
func (w *world) adopted(key *rsa.PrivateKey, edit ...func(*metadata.RootType)) publish.Submission {
	w.t.Helper()
	w.RootVersion = 2
	w.Signers = 3
	s := w.Init(edit...)
	w.Signers = 2
	name := releasetest.MetadataName(metadata.ROOT, 3)
	ours, err := metadata.Root().FromBytes(s.Metadata[name])
	w.must(err)
	s.Metadata[name] = w.sealed(ours, key, ours.Signatures...)
	for v := int64(1); v <= 2; v++ {
		s.Metadata[releasetest.MetadataName(metadata.ROOT, v)] = w.sealed(w.old(v, key), key)
	}
	return s
}

func TestChainOfAnotherToolIsTakenOver(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.must(w.submit(w.adopted(key)))
	w.must(w.submit(w.Product(phone)))
	w.must(w.submit(w.Root()))
	// Its rules end with the chain: a later root like those is refused.
	if err := w.submit(publish.Submission{Metadata: map[string][]byte{"5.root.json": w.sealed(w.old(5, key), key)}}); err == nil {
		t.Error("an old root was taken after ours")
	}
}

func TestChainOfAnotherToolMustHoldAndEndInOurs(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	thief, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(w *world, s publish.Submission)
		word  string
	}{
		"a gap":       {func(_ *world, s publish.Submission) { delete(s.Metadata, "1.root.json") }, "the next root is version 1"},
		"forged":      {func(w *world, s publish.Submission) { s.Metadata["2.root.json"] = w.sealed(w.old(2, thief), thief) }, "2.root.json"},
		"not by them": {func(w *world, s publish.Submission) { s.Metadata["3.root.json"] = w.Root().Metadata["4.root.json"] }, "3.root.json"},
		"theirs last": {func(w *world, s publish.Submission) { s.Metadata["3.root.json"] = w.sealed(w.old(3, key), key) }, "3.root.json"},
	} {
		w := newWorld(t)
		s := w.adopted(key)
		c.spoil(w, s)
		if err := w.submit(s); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of a system that is ours already, no root in between is passed over.
func TestRootInBetweenIsHeldAgainstTheRules(t *testing.T) {
	w := ready(t)
	weak := w.Root(func(r *metadata.RootType) { r.Roles[metadata.ROOT].Threshold = 1 })
	if err := w.submit(releasetest.Join(weak, w.Root())); err == nil || !strings.Contains(err.Error(), "threshold") {
		t.Errorf("got %v", err)
	}
}
