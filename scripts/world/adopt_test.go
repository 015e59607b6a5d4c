package world_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/scripts/world"
)

// oldRoot is a root that another tool made: one RSA key, under an id of its own
// style, with fields of its own.
func oldRoot(t *testing.T, key *rsa.PrivateKey, version int64) *metadata.Metadata[metadata.RootType] {
	t.Helper()
	public, err := metadata.KeyFromPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	root := metadata.Root(time.Now().UTC().AddDate(0, 1, 0).Truncate(time.Second))
	root.Signed.Version = version
	root.Signed.UnrecognizedFields = map[string]any{"x-tuf-on-ci-expiry-period": 182}
	root.Signed.Keys["old-rsa"] = public
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		root.Signed.Roles[role] = &metadata.Role{KeyIDs: []string{"old-rsa"}, Threshold: 1}
	}
	return root
}

func signOldRoot(t *testing.T, root *metadata.Metadata[metadata.RootType], key *rsa.PrivateKey, file string) {
	t.Helper()
	signer, err := signature.LoadRSAPSSSigner(key, crypto.SHA256, &rsa.PSSOptions{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Sign(signer); err != nil {
		t.Fatal(err)
	}
	root.Signatures[len(root.Signatures)-1].KeyID = "old-rsa"
	if err := root.ToFile(file, true); err != nil {
		t.Fatal(err)
	}
}

// A handset that left the factory with the root of another tool comes over to
// the first root of ours, and installs what our engineers sign.
func TestHandsetWithARootOfAnotherToolComesOver(t *testing.T) {
	w, err := world.New(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signOldRoot(t, oldRoot(t, key, 1), key, w.Path("1.root.json"))
	signOldRoot(t, oldRoot(t, key, 2), key, w.Path("2.root.json"))
	p := accepted(t, phone(t, w, "", false), 42) // made before
	if err := w.MakeKeys(ctx); err != nil {
		t.Fatal(err)
	}
	signer := func(args ...string) {
		t.Helper()
		if _, err := w.Exec(ctx, "signer", args...); err != nil {
			t.Fatal(err)
		}
	}
	signer("root", "adopt", "--from", "1.root.json", "--from", "2.root.json", "--root-key", "alice.pub", "--root-key", "bob.pub", "--root-key", "carol.pub",
		"--online", "data/online-keys.json", "--unsigned", "3.unsigned.json", "--root", "1.root.json",
		"--sign", "alice", "--sign", "bob", "--sign", "carol", "--yes", "--passphrase-file", "pass")
	root, err := metadata.Root().FromFile(w.Path("3.unsigned.json"))
	if err != nil {
		t.Fatal(err)
	}
	signOldRoot(t, root, key, w.Path("3.signed.json"))
	signer("root", "attach", "adopt.proposal.json", "3.signed.json")
	if err := w.Submit(ctx, "adopt.proposal.json"); err != nil {
		t.Fatal(err)
	}
	if err := w.AddProduct(ctx, product); err != nil {
		t.Fatal(err)
	}
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	if s := once(t, p); s.Build != 42 {
		t.Fatalf("the handset runs build %d: %+v", s.Build, s.Status)
	}
	if err := w.RotateOnline(ctx); err != nil {
		t.Fatal(err)
	}
	once(t, p)
	if _, err := os.Stat(w.Path("data", "keys", "2")); err != nil {
		t.Error(err)
	}
}
