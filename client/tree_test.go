package main

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

const product = manifests.Product("xiaomi-optin")

// signed is when the tree was signed: no earlier than the program was made.
var signed = func() time.Time {
	made := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	if now := time.Now().UTC(); now.After(made) {
		return now.Add(-time.Hour).Truncate(time.Second)
	}
	return made
}()

// tree is a published tree that does not change, with one key for all roles.
type tree struct {
	testing.TB
	files   map[string][]byte
	signer  signature.Signer
	public  *metadata.Key
	keyID   string
	snap    *metadata.Metadata[metadata.SnapshotType]
	factory []byte
	posts   atomic.Int32 // requests that are not for files
}

func newTree(t testing.TB) *tree {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	w := &tree{TB: t, files: map[string][]byte{}, factory: []byte("factory image")}
	w.signer, err = signature.LoadSigner(private, crypto.Hash(0))
	fatal(t, err)
	w.public, err = metadata.KeyFromPublicKey(private.Public())
	fatal(t, err)
	w.keyID, err = w.public.ID()
	fatal(t, err)
	w.sign()
	return w
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *tree) sign() {
	year := signed.AddDate(1, 0, 0)
	root := metadata.Root(year)
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		fatal(w, root.Signed.AddKey(w.public, role))
	}
	put(w, layout.MetadataFile("root", 1), root)
	w.snap = metadata.Snapshot(year)
	rollouts, releases := metadata.Targets(year), metadata.Targets(year)
	document := rollout.Document{Spec: rollout.Spec, Product: product, Counter: 1, Rollouts: []rollout.Rollout{{
		ID: "fix", Release: w.release(releases), Build: 42, Channel: "stable", State: rollout.Active,
		Share: manifests.WholeFleet, Kind: manifests.KindNormal,
	}}}
	data, err := document.Canonical()
	fatal(w, err)
	w.target(rollouts, layout.RolloutsPath(product), data)
	top := metadata.Targets(year)
	for path, text := range map[string]string{"hello.txt": "hello, world\n", "sub/dir.txt": "below\n", "../outside.txt": "outside\n", "spoiled.txt": "as it was signed\n"} {
		w.target(top, path, []byte(text))
	}
	for path := range w.files {
		if strings.HasSuffix(path, ".spoiled.txt") {
			w.files[path] = []byte("as it is served.\n")
		}
	}
	top.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{w.keyID: w.public}, Roles: []metadata.DelegatedRole{
		{Name: layout.RolloutsRole, Threshold: 1, Terminating: true, KeyIDs: []string{w.keyID}, Paths: []string{layout.RolloutsPattern}},
		{Name: layout.ReleasesRole(product), Threshold: 1, Terminating: true, KeyIDs: []string{w.keyID}, Paths: []string{layout.ReleasesPattern(product)}},
	}}
	w.vouch("targets", put(w, layout.MetadataFile("targets", 1), top))
	w.vouch(layout.RolloutsRole, put(w, layout.MetadataFile(layout.RolloutsRole, 1), rollouts))
	w.vouch(layout.ReleasesRole(product), put(w, layout.MetadataFile(layout.ReleasesRole(product), 1), releases))
	snapshot := put(w, layout.MetadataFile("snapshot", 1), w.snap)
	stamp := metadata.Timestamp(signed.Add(48 * time.Hour))
	stamp.Signed.UnrecognizedFields = map[string]any{layout.FieldIssued: manifests.At(signed).String()}
	stamp.Signed.Meta["snapshot.json"] = meta(snapshot)
	put(w, layout.TimestampFile, stamp)
}

func put[T metadata.Roles](w *tree, path string, m *metadata.Metadata[T]) []byte {
	_, err := m.Sign(w.signer)
	fatal(w, err)
	w.files[path], err = m.ToBytes(false)
	fatal(w, err)
	return w.files[path]
}

func meta(data []byte) *metadata.MetaFiles {
	info, sum := metadata.MetaFile(1), sha256.Sum256(data)
	info.Length, info.Hashes = int64(len(data)), metadata.Hashes{"sha256": sum[:]}
	return info
}

func (w *tree) vouch(role string, data []byte) { w.snap.Signed.Meta[role+".json"] = meta(data) }

func (w *tree) target(role *metadata.Metadata[metadata.TargetsType], path string, data []byte) rollout.Reference {
	info, err := metadata.TargetFile().FromBytes(path, data, "sha256")
	fatal(w, err)
	role.Signed.Targets[path] = info
	sum := manifests.SumSHA256(data)
	w.files[filepath.Clean(layout.TargetFile(path, sum))] = data
	return rollout.Reference{Path: path, Length: int64(len(data)), SHA256: sum}
}

// release is build 42 of the example, open to everybody at once.
func (w *tree) release(role *metadata.Metadata[metadata.TargetsType]) rollout.Reference {
	draft, err := os.ReadFile(filepath.Join("..", "manifests", "examples", "xiaomi-optin", "release.yaml"))
	fatal(w, err)
	m, err := manifests.DraftRelease(draft)
	fatal(w, err)
	system := imagetest.Build("system", bytes.Repeat([]byte("build 42 keeps your contacts to itself\n"), 5000))
	maps.Copy(w.files, system.Files)
	m.Images = []manifests.Image{system.Image}
	m.Pace = []manifests.PaceStep{{MaxShare: manifests.WholeFleet}}
	m.Start(manifests.At(signed))
	m.Offline = true
	data, err := m.Canonical()
	fatal(w, err)
	return w.target(role, layout.ReleasePath(product, 42), data)
}

func (w *tree) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.posts.Add(1)
	}
	data, ok := w.files[strings.TrimPrefix(filepath.Clean(r.URL.Path), "/")]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(data))
}
