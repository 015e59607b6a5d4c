package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/signer/keyring"
)

// oldRoots makes the roots of a system of another tool, 1.old.json and
// 2.old.json, signed by 2 of 2: an RSA key under an id of its own style, kept in
// old-rsa.pem, and the P-256 key of old.pem, which the root lists as other tools
// list them.
func oldRoots(ts *testscript.TestScript, _ bool, _ []string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("old-rsa.pem"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600))
	data, err := os.ReadFile("keyring/testdata/pem/p256-encrypted.pem")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("old.pem"), data, 0o600))
	p256, err := keyring.ParsePEM(data, func() (string, error) { return "a test passphrase", nil })
	ts.Check(err)
	for v := int64(1); v <= 2; v++ {
		root := metadata.Root(time.Now().UTC().AddDate(0, 1, 0).Truncate(time.Second))
		root.Signed.Version = v
		ids := []string{"rsa-1", "p256-1"}
		for i, public := range []crypto.PublicKey{key.Public(), p256.Public()} {
			root.Signed.Keys[ids[i]], err = metadata.KeyFromPublicKey(public)
			ts.Check(err)
		}
		root.Signed.Keys["p256-1"].UnrecognizedFields = map[string]any{"keyid_hash_algorithms": []string{"sha256"}, "x-tuf-on-ci-keyowner": "@wei"}
		for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
			root.Signed.Roles[role] = &metadata.Role{KeyIDs: ids, Threshold: 2}
		}
		signOld(ts, root, "rsa-1", key)
		signOld(ts, root, "p256-1", p256)
		text, err := root.ToBytes(true)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(fmt.Sprintf("%d.old.json", v)), text, 0o644))
	}
}

// oldTool signs a root file with old-rsa.pem, as the tool of the old system
// would: oldtool IN OUT.
func oldTool(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs("old-rsa.pem"))
	ts.Check(err)
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	ts.Check(err)
	root, err := metadata.Root().FromFile(ts.MkAbs(args[0]))
	ts.Check(err)
	signOld(ts, root, "rsa-1", key)
	ts.Check(root.ToFile(ts.MkAbs(args[1]), true))
}

func signOld(ts *testscript.TestScript, root *metadata.Metadata[metadata.RootType], id string, key crypto.Signer) {
	var signer signature.Signer
	var err error
	if k, ok := key.(*rsa.PrivateKey); ok {
		signer, err = signature.LoadRSAPSSSigner(k, crypto.SHA256, &rsa.PSSOptions{Hash: crypto.SHA256})
	} else {
		signer, err = signature.LoadSigner(key, crypto.SHA256)
	}
	ts.Check(err)
	s, err := root.Sign(signer)
	ts.Check(err)
	s.KeyID = id
	root.Signatures[len(root.Signatures)-1].KeyID = id
}
