package trust_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

const product = manifests.Product("phone")

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// key is a private key with its TUF form.
type key struct {
	signer signature.Signer
	public *metadata.Key
	id     string
}

func newKey(t testing.TB) key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	public, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	id, err := public.ID()
	if err != nil {
		t.Fatal(err)
	}
	return key{signer, public, id}
}

// repo is a whole published tree with all of its keys, so that tests can be
// the maker and every kind of thief.
type repo struct {
	t     testing.TB
	now   time.Time
	keys  map[string][]key // by role
	root  *metadata.Metadata[metadata.RootType]
	top   *metadata.Metadata[metadata.TargetsType]
	rolls *metadata.Metadata[metadata.TargetsType]
	rels  *metadata.Metadata[metadata.TargetsType]
	snap  *metadata.Metadata[metadata.SnapshotType]
	stamp *metadata.Metadata[metadata.TimestampType]
	doc   *rollout.Document

	mu       sync.Mutex
	files    map[string][]byte
	requests []string
	answer   func(w http.ResponseWriter, r *http.Request) bool // takes over when it returns true
	url      string
	cookie   string // served as the ETag of everything
}

func newRepo(t testing.TB) *repo {
	r := &repo{t: t, now: epoch, keys: map[string][]key{}, files: map[string][]byte{}}
	releases := layout.ReleasesRole(product)
	for role, n := range map[string]int{"root": 2, "targets": 2, "snapshot": 1, "timestamp": 1, layout.RolloutsRole: 1, releases: 2} {
		for range n {
			r.keys[role] = append(r.keys[role], newKey(t))
		}
	}
	year := epoch.AddDate(1, 0, 0)
	r.root = metadata.Root(year)
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		r.list(role)
	}
	r.top, r.rolls, r.rels = metadata.Targets(year), metadata.Targets(epoch.Add(7*24*time.Hour)), metadata.Targets(epoch.AddDate(0, 4, 0))
	r.delegate()
	r.snap, r.stamp = metadata.Snapshot(epoch.Add(7*24*time.Hour)), metadata.Timestamp(epoch.Add(48*time.Hour))
	r.doc = &rollout.Document{Spec: rollout.Spec, Product: product, Counter: 1, Rollouts: []rollout.Rollout{}}
	server := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(server.Close)
	r.url = server.URL
	r.signRoot()
	r.publish()
	return r
}

// list makes the root name the role's present keys, all of them needed.
func (r *repo) list(role string) {
	entry := &metadata.Role{Threshold: len(r.keys[role])}
	for _, k := range r.keys[role] {
		entry.KeyIDs = append(entry.KeyIDs, k.id)
		r.root.Signed.Keys[k.id] = k.public
	}
	r.root.Signed.Roles[role] = entry
}

func (r *repo) delegate() {
	r.top.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	for role, pattern := range map[string]string{layout.RolloutsRole: layout.RolloutsPattern, layout.ReleasesRole(product): layout.ReleasesPattern(product)} {
		d := metadata.DelegatedRole{Name: role, Threshold: len(r.keys[role]), Terminating: true, Paths: []string{pattern}}
		for _, k := range r.keys[role] {
			d.KeyIDs = append(d.KeyIDs, k.id)
			r.top.Signed.Delegations.Keys[k.id] = k.public
		}
		r.top.Signed.Delegations.Roles = append(r.top.Signed.Delegations.Roles, d)
	}
}

func sign[T metadata.Roles](r *repo, m *metadata.Metadata[T], keys []key) []byte {
	r.t.Helper()
	m.ClearSignatures()
	for _, k := range keys {
		if _, err := m.Sign(k.signer); err != nil {
			r.t.Fatal(err)
		}
	}
	b, err := m.ToBytes(false)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *repo) put(path string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[path] = data
}

func (r *repo) signRoot(also ...key) {
	r.put(layout.MetadataFile("root", r.root.Signed.Version), sign(r, r.root, append(also, r.keys["root"]...)))
}

// release signs a release document into releases-PRODUCT.
func (r *repo) release(build manifests.Build) rollout.Reference {
	r.t.Helper()
	data, err := os.ReadFile("../../manifests/examples/xiaomi-optin/release.yaml")
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := manifests.DraftRelease(data)
	if err != nil {
		r.t.Fatal(err)
	}
	blob := manifests.Blob{SHA256: manifests.SumSHA256([]byte("x")), Size: 10}
	m.Product, m.Build = product, build
	m.Images = []manifests.Image{{Slot: "system", Size: 1 << 20, SHA256: blob.SHA256, Index: blob, Pack: blob}}
	m.Start(manifests.At(r.now))
	doc, err := m.Canonical()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.target(r.rels, layout.ReleasePath(product, build), doc)
}

func (r *repo) target(role *metadata.Metadata[metadata.TargetsType], path string, doc []byte) rollout.Reference {
	r.t.Helper()
	info, err := metadata.TargetFile().FromBytes(path, doc, "sha256")
	if err != nil {
		r.t.Fatal(err)
	}
	role.Signed.Targets[path] = info
	hash := manifests.SumSHA256(doc)
	r.put(layout.TargetFile(path, hash), doc)
	return rollout.Reference{Path: path, Length: int64(len(doc)), SHA256: hash}
}

// open adds a rollout of a release.
func (r *repo) open(build manifests.Build) {
	ref := r.release(build)
	r.doc.Rollouts = append([]rollout.Rollout{{
		ID: manifests.Name(fmt.Sprint("r", build)), Release: ref, Build: build, Channel: "stable",
		State: rollout.Active, Share: manifests.WholeFleet, Kind: manifests.KindNormal,
	}}, r.doc.Rollouts...)
}

// publish signs everything below the root, one version up, as the service does.
func (r *repo) publish() {
	r.t.Helper()
	doc, err := r.doc.Canonical()
	if err != nil {
		r.t.Fatal(err)
	}
	r.target(r.rolls, layout.RolloutsPath(product), doc)
	prev := manifests.SumSHA256(doc)
	r.doc = &rollout.Document{Spec: rollout.Spec, Product: product, Counter: r.doc.Counter + 1, Prev: &prev, Rollouts: r.doc.Rollouts}
	for role, m := range map[string]*metadata.Metadata[metadata.TargetsType]{"targets": r.top, layout.RolloutsRole: r.rolls, layout.ReleasesRole(product): r.rels} {
		r.vouch(role, m.Signed.Version, sign(r, m, r.keys[role]))
		m.Signed.Version++
	}
	r.head()
}

func (r *repo) vouch(role string, version int64, data []byte) {
	r.put(layout.MetadataFile(role, version), data)
	info := metadata.MetaFile(version)
	sum := manifests.SumSHA256(data)
	info.Length, info.Hashes = int64(len(data)), metadata.Hashes{"sha256": sum[:]}
	r.snap.Signed.Meta[role+".json"] = info
}

// head signs snapshot and timestamp.
func (r *repo) head() {
	snap := sign(r, r.snap, r.keys["snapshot"])
	r.put(layout.MetadataFile("snapshot", r.snap.Signed.Version), snap)
	info := metadata.MetaFile(r.snap.Signed.Version)
	sum := manifests.SumSHA256(snap)
	info.Length, info.Hashes = int64(len(snap)), metadata.Hashes{"sha256": sum[:]}
	r.stamp.Signed.Meta["snapshot.json"] = info
	r.snap.Signed.Version++
	r.timestamp()
}

func (r *repo) timestamp() {
	if r.stamp.Signed.UnrecognizedFields == nil {
		r.stamp.Signed.UnrecognizedFields = map[string]any{}
	}
	if r.stamp.Signed.UnrecognizedFields[layout.FieldIssued] == nil || !strings.HasPrefix(r.stamp.Signed.UnrecognizedFields[layout.FieldIssued].(string), "9") {
		r.stamp.Signed.UnrecognizedFields[layout.FieldIssued] = manifests.At(r.now).String()
	}
	r.put(layout.TimestampFile, sign(r, r.stamp, r.keys["timestamp"]))
	r.stamp.Signed.Version++
}

func (r *repo) serve(w http.ResponseWriter, req *http.Request) {
	path := strings.TrimPrefix(req.URL.Path, "/")
	r.mu.Lock()
	r.requests = append(r.requests, path)
	answer := r.answer
	r.mu.Unlock()
	if answer == nil || !answer(w, req) {
		r.serveTree(w, req)
	}
}

// serveTree answers with what is published.
func (r *repo) serveTree(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	data, ok := r.files[strings.TrimPrefix(req.URL.Path, "/")]
	r.mu.Unlock()
	if !ok {
		http.NotFound(w, req)
		return
	}
	etag := layout.ETag(data)
	if r.cookie != "" {
		etag = r.cookie
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/json")
	if req.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if _, err := w.Write(data); err != nil {
		r.t.Log(err)
	}
}

// asked gives the paths requested since the last call.
func (r *repo) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.requests
	r.requests = nil
	return out
}

// handset is a client of the repository, with a clock of its own.
type handset struct {
	*trust.Client
	dir string
	now time.Time
	set bool
}

func (r *repo) handset() *handset {
	r.t.Helper()
	dir := r.t.TempDir()
	r.mu.Lock()
	root := r.files[layout.MetadataFile("root", 1)]
	r.mu.Unlock()
	if err := trust.Init(dir, root); err != nil {
		r.t.Fatal(err)
	}
	h := &handset{dir: dir, now: r.now, set: true}
	h.restart(r)
	return h
}

// restart is a new process over the same store.
func (h *handset) restart(r *repo) {
	r.t.Helper()
	if h.Client != nil {
		if err := h.Store.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	store, err := trust.OpenStore(h.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	client, err := fetch.New(fetch.Options{Bases: []string{r.url}})
	if err != nil {
		r.t.Fatal(err)
	}
	h.Client = &trust.Client{
		Store: store, Fetch: client, Product: product,
		Clock: func() (time.Time, bool) { return h.now, h.set }, Built: epoch.AddDate(0, -1, 0),
	}
	r.t.Cleanup(func() { _ = store.Close() })
}

func (h *handset) poll() (*trust.View, error) { return h.Poll(context.Background()) }
