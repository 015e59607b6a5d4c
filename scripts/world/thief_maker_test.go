package world_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/build"
)

// dawn is when every story of thieves begins; no handset was made before.
var dawn = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

const (
	day        = 24 * time.Hour
	onlineLife = 7 * day   // of rollouts and snapshot, as the server has it
	stampLife  = 2 * day   // of the timestamp
	roleLife   = 120 * day // of releases-PRODUCT
	nextByLife = 60 * day
)

var releasesRole = layout.ReleasesRole(product)

// tufKey is a private key with its form in the role table.
type tufKey struct {
	signer signature.Signer
	public *metadata.Key
	id     string
}

// keys by role; those under "thief" are in no role table. They are drawn from a
// seed, so that every run of the table meets the same handsets and files.
var tufKeys = sync.OnceValue(func() map[string][]tufKey {
	chance := rand.NewChaCha8([32]byte{1})
	out := map[string][]tufKey{}
	for _, role := range []struct {
		name string
		keys int
	}{{metadata.ROOT, 2}, {metadata.TARGETS, 2}, {releasesRole, 2}, {layout.RolloutsRole, 1}, {metadata.SNAPSHOT, 1}, {metadata.TIMESTAMP, 1}, {"thief", 1}} {
		for range role.keys {
			seed := make([]byte, ed25519.SeedSize)
			if _, err := chance.Read(seed); err != nil {
				panic(err)
			}
			private := ed25519.NewKeyFromSeed(seed)
			signer, err := signature.LoadSigner(private, crypto.Hash(0))
			if err != nil {
				panic(err)
			}
			public, err := metadata.KeyFromPublicKey(private.Public())
			if err != nil {
				panic(err)
			}
			id, err := public.ID()
			if err != nil {
				panic(err)
			}
			out[role.name] = append(out[role.name], tufKey{signer, public, id})
		}
	}
	return out
})

// images of the stories: what the engineers built, and one that they did not.
const evilBuild = manifests.Build(99)

type story struct {
	image manifests.Image
	blobs map[string][]byte
}

var stories = sync.OnceValues(func() (_ map[manifests.Build]story, err error) {
	dir, err := os.MkdirTemp("", "candor-thieves-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	out := map[manifests.Build]story{}
	for _, b := range []manifests.Build{41, 42, 43, evilBuild} {
		plain, chance := make([]byte, 20<<10), rand.NewChaCha8([32]byte{byte(b)})
		if _, err := chance.Read(plain); err != nil {
			return nil, err
		}
		source, to := filepath.Join(dir, b.String()), filepath.Join(dir, b.String()+".out")
		if err := os.WriteFile(source, plain, 0o600); err != nil {
			return nil, err
		}
		made, err := build.Image(context.Background(), build.Options{Source: source, Dir: to, Workers: 1})
		if err != nil {
			return nil, err
		}
		s := story{image: made.Image("system"), blobs: map[string][]byte{}}
		for _, blob := range []manifests.Blob{made.Index, made.Pack} {
			path := layout.BlobFile(blob.SHA256)
			if s.blobs[path], err = os.ReadFile(filepath.Join(to, filepath.FromSlash(path))); err != nil {
				return nil, err
			}
		}
		out[b] = s
	}
	return out, nil
})

// maker is the honest side: engineers who sign offline, and a service with a
// database, online keys and a published tree. The service signs what its
// database says, as server/publish does.
type maker struct {
	t                testing.TB
	root             *metadata.Metadata[metadata.RootType]
	top, rolls, rels *metadata.Metadata[metadata.TargetsType]
	snap             *metadata.Metadata[metadata.SnapshotType]
	stamp            *metadata.Metadata[metadata.TimestampType]
	rows             []rollout.Rollout // the database
	counter          uint64
	prev             *manifests.SHA256
	files            map[string][]byte // everything that was ever published, but for the timestamp
	stamps           [][]byte          // every timestamp, oldest first
	master           vote.Master
	releases         map[manifests.Build]*manifests.Release
}

func newMaker(t testing.TB) *maker {
	m := &maker{t: t, files: map[string][]byte{}, master: vote.Master{7}, releases: map[manifests.Build]*manifests.Release{}}
	year := dawn.AddDate(5, 0, 0)
	m.root, m.top, m.rolls, m.rels = metadata.Root(year), metadata.Targets(year), metadata.Targets(year), metadata.Targets(year)
	m.snap, m.stamp = metadata.Snapshot(year), metadata.Timestamp(year)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		entry := &metadata.Role{Threshold: len(tufKeys()[role])}
		for _, k := range tufKeys()[role] {
			entry.KeyIDs = append(entry.KeyIDs, k.id)
			m.root.Signed.Keys[k.id] = k.public
		}
		m.root.Signed.Roles[role] = entry
	}
	m.top.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	for _, role := range []struct{ name, pattern string }{{layout.RolloutsRole, layout.RolloutsPattern}, {releasesRole, layout.ReleasesPattern(product)}} {
		d := metadata.DelegatedRole{Name: role.name, Threshold: len(tufKeys()[role.name]), Terminating: true, Paths: []string{role.pattern}}
		for _, k := range tufKeys()[role.name] {
			d.KeyIDs = append(d.KeyIDs, k.id)
			m.top.Signed.Delegations.Keys[k.id] = k.public
		}
		m.top.Signed.Delegations.Roles = append(m.top.Signed.Delegations.Roles, d)
	}
	m.files[layout.MetadataFile(metadata.ROOT, 1)] = sealed(t, m.root, tufKeys()[metadata.ROOT]...)
	m.vouch(m.snap, metadata.TARGETS, 1, sealed(t, m.top, tufKeys()[metadata.TARGETS]...))
	return m
}

func sealed[T metadata.Roles](t testing.TB, m *metadata.Metadata[T], keys ...tufKey) []byte {
	t.Helper()
	m.ClearSignatures()
	for _, k := range keys {
		if _, err := m.Sign(k.signer); err != nil {
			t.Fatal(err)
		}
	}
	b, err := m.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (m *maker) vouch(snap *metadata.Metadata[metadata.SnapshotType], role string, version int64, data []byte) {
	m.files[layout.MetadataFile(role, version)] = data
	snap.Signed.Meta[role+".json"] = metaOf(version, data)
}

func metaOf(version int64, data []byte) *metadata.MetaFiles {
	sum, info := manifests.SumSHA256(data), metadata.MetaFile(version)
	info.Length, info.Hashes = int64(len(data)), metadata.Hashes{"sha256": sum[:]}
	return info
}

// release has the engineers sign a build. Everybody may have it at once, but
// for what edit says.
func (m *maker) release(b manifests.Build, now time.Time, edit ...func(*manifests.Release)) rollout.Reference {
	m.t.Helper()
	all, err := stories()
	if err != nil {
		m.t.Fatal(err)
	}
	s := all[b]
	doc := draft(m.t, b, s.image, now, m.master, edit...)
	for path, data := range s.blobs {
		m.files[path] = data
	}
	parsed, err := manifests.ParseRelease(doc)
	if err != nil {
		m.t.Fatal(err)
	}
	m.releases[b] = parsed
	ref := target(m.rels, layout.ReleasePath(product, b), doc)
	m.files[layout.TargetFile(ref.Path, ref.SHA256)] = doc
	m.engineers(now)
	return ref
}

// engineers sign their role anew, with a new promise of the next word.
func (m *maker) engineers(now time.Time) {
	m.t.Helper()
	s := &m.rels.Signed
	if _, published := m.snap.Signed.Meta[releasesRole+".json"]; published {
		s.Version++
	}
	s.Expires = now.Add(roleLife)
	s.UnrecognizedFields = map[string]any{layout.FieldNextBy: manifests.At(now.Add(nextByLife)).String()}
	m.vouch(m.snap, releasesRole, s.Version, sealed(m.t, m.rels, tufKeys()[releasesRole]...))
}

func draft(t testing.TB, b manifests.Build, image manifests.Image, now time.Time, master vote.Master, edit ...func(*manifests.Release)) []byte {
	t.Helper()
	primary, spare, err := master.Rules(vote.Ref{Product: product, Build: b})
	if err != nil {
		t.Fatal(err)
	}
	r := imagetest.Release(product, b, now, image)
	r.SecurityEpoch = manifests.SecurityEpoch(b - 40)
	r.Votes.Primary, r.Votes.Spare = &primary, &spare
	for _, e := range edit {
		e(r)
	}
	data, err := r.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func target(role *metadata.Metadata[metadata.TargetsType], path string, doc []byte) rollout.Reference {
	sum := manifests.SumSHA256(doc)
	role.Signed.Targets[path] = &metadata.TargetFiles{Path: path, Length: int64(len(doc)), Hashes: metadata.Hashes{"sha256": sum[:]}}
	return rollout.Reference{Path: path, Length: int64(len(doc)), SHA256: sum}
}

// row is a rollout of a release to everybody, gently.
func row(b manifests.Build, ref rollout.Reference) rollout.Rollout {
	r := toEverybody("r"+b.String(), b, ref)
	r.Kind, r.Deferral = manifests.KindNormal, manifests.Duration{Duration: 7 * day}
	return r
}

// publish signs what the database says, with fresh online roles.
func (m *maker) publish(now time.Time) {
	m.t.Helper()
	m.counter++
	doc, err := (&rollout.Document{Spec: rollout.Spec, Product: product, Counter: m.counter, Prev: m.prev, Rollouts: m.rows}).Canonical()
	if err != nil {
		m.t.Fatal(err)
	}
	ref := target(m.rolls, layout.RolloutsPath(product), doc)
	m.files[layout.TargetFile(ref.Path, ref.SHA256)], m.prev = doc, new(ref.SHA256)
	version := int64(m.counter)
	m.rolls.Signed.Version, m.rolls.Signed.Expires = version, now.Add(onlineLife)
	m.vouch(m.snap, layout.RolloutsRole, version, sealed(m.t, m.rolls, tufKeys()[layout.RolloutsRole]...))
	m.snap.Signed.Version, m.snap.Signed.Expires = version, now.Add(onlineLife)
	snap := sealed(m.t, m.snap, tufKeys()[metadata.SNAPSHOT]...)
	m.files[layout.MetadataFile(metadata.SNAPSHOT, version)] = snap
	s := &m.stamp.Signed
	s.Version, s.Expires = version, now.Add(stampLife)
	s.Meta["snapshot.json"] = metaOf(version, snap)
	s.UnrecognizedFields = map[string]any{layout.FieldIssued: manifests.At(now).String()}
	m.stamps = append(m.stamps, sealed(m.t, m.stamp, tufKeys()[metadata.TIMESTAMP]...))
}
