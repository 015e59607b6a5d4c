// Package diagnosistest makes published trees that are refused, one for each
// kind of failure, for the tests of every program that explains them. Keys and
// dates are always the same, so that words can be compared with golden ones.
//
// It is for tests alone: its private keys are known to everybody.
package diagnosistest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Product is the one product of a tree, with one release.
const (
	Product = manifests.Product("phone")
	Build   = manifests.Build(42)
)

// Now is when every tree is looked at.
var Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Tree is a published tree, by path.
type Tree struct {
	Files map[string][]byte
	Now   time.Time
}

// spec says in what a tree differs from one that holds.
type spec struct {
	version map[string]int64                // of a role; 1
	expires map[string]time.Time            // of a role
	signers map[string][]string             // of a role
	edit    map[string]func(map[string]any) // what is signed, before it is
	spoil   map[string]func([]byte) []byte  // the file, before the level above signs its hash
	damage  map[string]func([]byte) []byte  // a path, after everything
	roots   [][]string                      // who signs each root after the first
	issued  time.Time
	then    func(*Tree) // the last word
}

// people are the holders of offline keys; all else is the service's.
var people = map[string]string{
	"alice": "Alice Chen", "bob": "Bob Diaz", "carol": "Carol Eze", "dora": "Dora Fisk", "emil": "Emil Gray", "mallory": "Mallory Hart",
}

func private(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("candor test key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func keyOf(name string) (id string, key map[string]any) {
	key = map[string]any{
		"keytype": "ed25519", "scheme": "ed25519",
		"keyval": map[string]any{"public": hex.EncodeToString(private(name).Public().(ed25519.PublicKey))},
	}
	sum := sha256.Sum256(encode(key))
	return hex.EncodeToString(sum[:]), key
}

func encode(v any) []byte {
	data, err := cjson.EncodeCanonical(v)
	must(err)
	return data
}

func must(err error) {
	if err != nil {
		panic(err) // of what is written above
	}
}

// row is one entry of a role table.
func row(threshold int, names ...string) map[string]any {
	ids, holders := []any{}, map[string]any{}
	for _, name := range names {
		id, _ := keyOf(name)
		ids = append(ids, id)
		if who := people[name]; who != "" {
			holders[id] = who
		}
	}
	out := map[string]any{"keyids": ids, "threshold": threshold}
	if len(holders) > 0 {
		out["x-holders"] = holders
	}
	return out
}

func keys(names ...string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		id, key := keyOf(name)
		out[id] = key
	}
	return out
}

// builder makes one tree.
type builder struct {
	spec
	files map[string][]byte
	meta  map[string]any // of the snapshot
}

func build(s spec) *Tree {
	b := &builder{spec: s, files: map[string][]byte{}, meta: map[string]any{}}
	b.rootFiles()
	b.productFiles()
	b.serviceFiles()
	for path, change := range s.damage {
		b.files[path] = change(b.files[path])
	}
	t := &Tree{Files: b.files, Now: Now}
	if s.then != nil {
		s.then(t)
	}
	return t
}

func (b *builder) versionOf(role string) int64 { return max(b.version[role], 1) }

// sign makes a file of a role and puts it into the tree. It gives what the
// level above signs about it.
func (b *builder) sign(role, kind string, days int, body map[string]any, names ...string) map[string]any {
	expires := Now.AddDate(0, 0, days)
	if t, ok := b.expires[role]; ok {
		expires = t
	}
	v := b.versionOf(role)
	body["_type"], body["spec_version"], body["version"], body["expires"] = kind, "1.0.31", v, expires.Format(time.RFC3339)
	if change := b.edit[role]; change != nil {
		change(body)
	}
	if given, ok := b.signers[role]; ok {
		names = given
	}
	data := file(body, names...)
	if change := b.spoil[role]; change != nil {
		data = change(data)
	}
	b.files[layout.MetadataFile(role, v)] = data
	sum := sha256.Sum256(data)
	info := map[string]any{"version": v, "length": len(data), "hashes": map[string]any{"sha256": hex.EncodeToString(sum[:])}}
	b.meta[role+".json"] = info
	return info
}

// file signs what is given, and makes a metadata file of it.
func file(body map[string]any, names ...string) []byte {
	payload, sigs := encode(body), []any{}
	for _, name := range names {
		id, _ := keyOf(name)
		sigs = append(sigs, map[string]any{"keyid": id, "sig": hex.EncodeToString(ed25519.Sign(private(name), payload))})
	}
	data, err := json.Marshal(map[string]any{"signatures": sigs, "signed": body})
	must(err)
	return data
}

func (b *builder) rootFiles() {
	holders := []string{"alice", "bob", "carol"}
	body := func(v int64) map[string]any {
		return map[string]any{
			"_type": "root", "spec_version": "1.0.31", "version": v, "expires": Now.AddDate(1, 0, 0).Format(time.RFC3339), "consistent_snapshot": true,
			"keys": keys("alice", "bob", "carol", "snapshot", "timestamp"),
			"roles": map[string]any{
				"root": row(2, holders...), "targets": row(2, holders...), "snapshot": row(1, "snapshot"), "timestamp": row(1, "timestamp"),
			},
		}
	}
	first := body(1)
	if change := b.edit["root"]; change != nil {
		change(first)
	}
	b.files[layout.MetadataFile("root", 1)] = file(first, "alice", "bob")
	for i, names := range b.roots {
		v := int64(i) + 2
		next := body(v)
		if len(names) > 0 && names[0] == "mallory" { // a line of his own
			next["keys"] = keys("mallory", "dora", "snapshot", "timestamp")
			next["roles"].(map[string]any)["root"] = row(2, "mallory", "dora")
			next["roles"].(map[string]any)["targets"] = row(2, "mallory", "dora")
		}
		b.files[layout.MetadataFile("root", v)] = file(next, names...)
	}
}

func (b *builder) productFiles() {
	role := layout.ReleasesRole(Product)
	engineers := row(2, "dora", "emil")
	engineers["name"], engineers["paths"], engineers["terminating"] = role, []any{layout.ReleasesPattern(Product)}, true
	service := row(1, layout.RolloutsRole)
	service["name"], service["paths"], service["terminating"] = layout.RolloutsRole, []any{layout.RolloutsPattern}, true
	b.sign("targets", "targets", 365, map[string]any{
		"targets": map[string]any{},
		"delegations": map[string]any{
			"keys": keys("dora", "emil", layout.RolloutsRole), "roles": []any{service, engineers},
		},
	}, "alice", "carol")
	release, err := imagetest.Release(Product, Build, Now.AddDate(0, 0, -5), imagetest.Unseen(Build, imagetest.Blob([]byte("blob")))).Canonical()
	must(err)
	ref := b.target(layout.ReleasePath(Product, Build), release)
	b.sign(role, "targets", 90, map[string]any{
		"targets": map[string]any{layout.ReleasePath(Product, Build): ref}, layout.FieldNextBy: Now.AddDate(0, 0, 60).Format(time.RFC3339),
	}, "dora", "emil")
	document := rollout.Document{Spec: rollout.Spec, Product: Product, Counter: 1, Rollouts: []rollout.Rollout{{
		ID: "first", Build: Build, Channel: "stable", State: rollout.Active, Share: manifests.WholeFleet, Kind: manifests.KindNormal,
		Release: rollout.Reference{Path: layout.ReleasePath(Product, Build), Length: int64(len(release)), SHA256: manifests.SumSHA256(release)},
	}}}
	data, err := document.Canonical()
	must(err)
	b.sign(layout.RolloutsRole, "targets", 7, map[string]any{
		"targets": map[string]any{layout.RolloutsPath(Product): b.target(layout.RolloutsPath(Product), data)},
	}, layout.RolloutsRole)
}

func (b *builder) target(path string, data []byte) map[string]any {
	sum := manifests.SumSHA256(data)
	b.files[layout.TargetFile(path, sum)] = data
	return map[string]any{"length": len(data), "hashes": map[string]any{"sha256": sum.String()}}
}

func (b *builder) serviceFiles() {
	meta := map[string]any{}
	for name, info := range b.meta {
		meta[name] = info
	}
	info := b.sign("snapshot", "snapshot", 7, map[string]any{"meta": meta}, "snapshot")
	issued := b.issued
	if issued.IsZero() {
		issued = Now.Add(-time.Hour)
	}
	b.sign("timestamp", "timestamp", 2, map[string]any{
		"meta": map[string]any{"snapshot.json": info}, layout.FieldIssued: issued.Format(time.RFC3339),
	}, "timestamp")
}

// Path gives the path of a version of a role.
func Path(role string, version int64) string { return layout.MetadataFile(role, version) }

func replace(from, to string) func([]byte) []byte {
	return func(data []byte) []byte {
		out := []byte(replaceOnce(string(data), from, to))
		if string(out) == string(data) {
			panic(fmt.Sprintf("nothing to replace: %s", from))
		}
		return out
	}
}
