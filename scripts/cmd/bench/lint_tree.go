package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
)

// lintKey is a key of the tree that is linted.
type lintKey struct {
	private ed25519.PrivateKey
	key     *metadata.Key
	id      string
}

func newLintKey() (lintKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return lintKey{}, err
	}
	key, err := metadata.KeyFromPublicKey(crypto.PublicKey(public))
	if err != nil {
		return lintKey{}, err
	}
	id, err := key.ID()
	return lintKey{private, key, id}, err
}

// treeMaker writes a published tree with keys of its own.
type treeMaker struct {
	dir    string
	size   publishedSize
	now    time.Time
	keys   map[string][]lintKey // by role; engineers are those of every product
	meta   map[string]*metadata.MetaFiles
	failed error
}

func signedRole[T metadata.Roles](m *treeMaker, role string, keys []lintKey, md *metadata.Metadata[T]) []byte {
	for _, k := range keys {
		signer, err := signature.LoadED25519Signer(k.private)
		if m.fail(err) {
			return nil
		}
		_, err = md.Sign(signer)
		m.fail(err)
	}
	data, err := md.ToBytes(false)
	m.fail(err)
	version := int64(1)
	m.fail(lintFile(m.dir, layout.MetadataFile(role, version), data))
	sum := manifests.SumSHA256(data)
	m.meta[role+".json"] = &metadata.MetaFiles{Version: version, Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
	return data
}

func (m *treeMaker) fail(err error) bool {
	if m.failed == nil {
		m.failed = err
	}
	return m.failed != nil
}

// publishedSize is how many products there are, and live releases of each.
type publishedSize struct{ products, releases int }

// manyProducts writes a tree, and gives its root.
func manyProducts(dir string, size publishedSize) (keyring.Anchor, error) {
	m := &treeMaker{dir: dir, size: size, now: time.Now().UTC().Truncate(time.Second), keys: map[string][]lintKey{}, meta: map[string]*metadata.MetaFiles{}}
	for role, n := range map[string]int{"root": 3, "engineers": 2, "rollouts": 1, "snapshot": 1, "timestamp": 1} {
		for range n {
			k, err := newLintKey()
			m.fail(err)
			m.keys[role] = append(m.keys[role], k)
		}
	}
	m.top()
	for i := range m.size.products {
		m.product(manifests.Product(lintName(i)))
	}
	m.online()
	if m.failed != nil {
		return keyring.Anchor{}, m.failed
	}
	root, err := os.ReadFile(filepath.Join(dir, layout.MetadataFile(metadata.ROOT, 1)))
	if err != nil {
		return keyring.Anchor{}, err
	}
	return ceremony.AnchorOf(root)
}

// people makes a row: ids, holders, and the keys for its table.
func people(keys []lintKey, table map[string]*metadata.Key) (ids []string, holders map[string]any) {
	names := map[string]any{}
	for _, k := range keys {
		ids, names[k.id], table[k.id] = append(ids, k.id), "Holder of "+k.id[:8], k.key
	}
	return ids, map[string]any{layout.FieldHolders: names}
}

func (m *treeMaker) top() {
	root := metadata.Root(m.now.AddDate(0, 0, 300))
	ids, holders := people(m.keys["root"], root.Signed.Keys)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS} {
		root.Signed.Roles[role] = &metadata.Role{KeyIDs: ids, Threshold: 2, UnrecognizedFields: holders}
	}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
		k := m.keys[role][0]
		root.Signed.Keys[k.id] = k.key
		root.Signed.Roles[role] = &metadata.Role{KeyIDs: []string{k.id}, Threshold: 1}
	}
	signedRole(m, metadata.ROOT, m.keys["root"][:2], root)
	delete(m.meta, "root.json")
	k := m.keys["rollouts"][0]
	d := &metadata.Delegations{Keys: map[string]*metadata.Key{k.id: k.key}}
	d.Roles = []metadata.DelegatedRole{{Name: layout.RolloutsRole, KeyIDs: []string{k.id}, Threshold: 1, Terminating: true, Paths: []string{layout.RolloutsPattern}}}
	ids, holders = people(m.keys["engineers"], d.Keys)
	for i := range m.size.products {
		p := manifests.Product(lintName(i))
		d.Roles = append(d.Roles, metadata.DelegatedRole{
			Name: layout.ReleasesRole(p), KeyIDs: ids, Threshold: 2, Terminating: true, Paths: []string{layout.ReleasesPattern(p)}, UnrecognizedFields: holders,
		})
	}
	targets := metadata.Targets(m.now.AddDate(0, 0, 300))
	targets.Signed.Delegations = d
	signedRole(m, metadata.TARGETS, m.keys["root"][:2], targets)
}

func (m *treeMaker) product(p manifests.Product) {
	role := metadata.Targets(m.now.AddDate(0, 0, 100))
	role.Signed.UnrecognizedFields = map[string]any{layout.FieldNextBy: manifests.At(m.now.AddDate(0, 0, 50)).String()}
	for b := range manifests.Build(m.size.releases) {
		r := imagetest.Release(p, 40+b, m.now)
		data, err := r.Canonical()
		m.fail(err)
		path, sum := layout.ReleasePath(p, 40+b), manifests.SumSHA256(data)
		role.Signed.Targets[path] = &metadata.TargetFiles{Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
		m.fail(lintFile(m.dir, layout.TargetFile(path, sum), data))
	}
	signedRole(m, layout.ReleasesRole(p), m.keys["engineers"], role)
}

func (m *treeMaker) online() {
	signedRole(m, layout.RolloutsRole, m.keys["rollouts"], metadata.Targets(m.now.AddDate(0, 0, 7)))
	snapshot := metadata.Snapshot(m.now.AddDate(0, 0, 7))
	snapshot.Signed.Meta = m.meta
	m.meta = map[string]*metadata.MetaFiles{}
	signedRole(m, metadata.SNAPSHOT, m.keys["snapshot"], snapshot)
	stamp := metadata.Timestamp(m.now.AddDate(0, 0, 2))
	stamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": m.meta["snapshot.json"]}
	stamp.Signed.UnrecognizedFields = map[string]any{layout.FieldIssued: manifests.At(m.now).String()}
	signedRole(m, metadata.TIMESTAMP, m.keys["timestamp"], stamp)
}
