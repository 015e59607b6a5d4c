// Package releasetest plays the engineers in tests of the server: people with
// keys who sign roots, delegations and releases, also wrongly. The real ones
// use candor-signer, which the server never imports.
package releasetest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
)

// Start is when tests begin.
var Start = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)

// Phone is the product of tests.
const Phone = manifests.Product("phone")

// Person holds one key.
type Person struct {
	Private ed25519.PrivateKey
	Key     *metadata.Key
	ID      string
}

// Makers sign what is submitted.
type Makers struct {
	t         testing.TB
	Now       time.Time
	People    []Person // of root and targets: 2 of 3
	Engineers []Person // of releases-*: 2 of 2
	Signers   int      // how many people sign; 2

	keys        publish.Keys
	RootVersion int64
	Targets     *metadata.Metadata[metadata.TargetsType]
	Releases    map[manifests.Product]*metadata.Metadata[metadata.TargetsType]
}

// New makes people who trust a server's online keys.
func New(t testing.TB, keys publish.Keys) *Makers {
	t.Helper()
	m := &Makers{t: t, Now: Start, keys: keys, Signers: 2, Releases: map[manifests.Product]*metadata.Metadata[metadata.TargetsType]{}}
	for range 3 {
		m.People = append(m.People, m.person())
	}
	for range 2 {
		m.Engineers = append(m.Engineers, m.person())
	}
	return m
}

func (m *Makers) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *Makers) person() Person {
	m.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	m.must(err)
	key, err := metadata.KeyFromPublicKey(crypto.PublicKey(public))
	m.must(err)
	id, err := key.ID()
	m.must(err)
	return Person{private, key, id}
}

// named gives each key a holder.
func named(people []Person) map[string]any {
	holders := map[string]any{}
	for _, p := range people {
		holders[p.ID] = holder(p)
	}
	return map[string]any{layout.FieldHolders: holders}
}

// NewPerson makes somebody who is in no role yet.
func (m *Makers) NewPerson() Person { return m.person() }

func holder(p Person) string { return "holder of " + p.ID[:8] }

// online gives the server's key of a role as the role table lists it.
func (m *Makers) online(role string) (*metadata.Key, string) {
	m.t.Helper()
	key, err := m.keys.Key(role)
	m.must(err)
	id, err := key.ID()
	m.must(err)
	return key, id
}

// Sign gives the file of a role, signed by people.
func Sign[T metadata.Roles](t testing.TB, role *metadata.Metadata[T], people ...Person) []byte {
	t.Helper()
	role.ClearSignatures()
	for _, p := range people {
		signer, err := signature.LoadED25519Signer(p.Private)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := role.Sign(signer); err != nil {
			t.Fatal(err)
		}
	}
	data, err := role.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Root makes the next version of root.
func (m *Makers) Root(edit ...func(*metadata.RootType)) publish.Submission {
	m.t.Helper()
	m.RootVersion++
	r := metadata.Root(m.Now.AddDate(1, 0, 0))
	r.Signed.Version = m.RootVersion
	var ids []string
	for _, p := range m.People {
		r.Signed.Keys[p.ID] = p.Key
		ids = append(ids, p.ID)
	}
	named := named(m.People)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS} {
		r.Signed.Roles[role] = &metadata.Role{KeyIDs: ids, Threshold: 2, UnrecognizedFields: named}
	}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
		key, id := m.online(role)
		r.Signed.Keys[id] = key
		r.Signed.Roles[role] = &metadata.Role{KeyIDs: []string{id}, Threshold: 1}
	}
	for _, e := range edit {
		e(&r.Signed)
	}
	name := MetadataName(metadata.ROOT, m.RootVersion)
	return publish.Submission{Metadata: map[string][]byte{name: Sign(m.t, r, m.People[:m.Signers]...)}}
}

// Init makes the first submission: root and targets.
func (m *Makers) Init(edit ...func(*metadata.RootType)) publish.Submission {
	m.t.Helper()
	key, id := m.online(layout.RolloutsRole)
	m.Targets = metadata.Targets()
	m.Targets.Signed.Version = 0
	m.Targets.Signed.Delegations = &metadata.Delegations{
		Keys: map[string]*metadata.Key{id: key},
		Roles: []metadata.DelegatedRole{{
			Name: layout.RolloutsRole, KeyIDs: []string{id}, Threshold: 1, Terminating: true, Paths: []string{layout.RolloutsPattern},
		}},
	}
	return Join(m.Root(edit...), m.NextTargets())
}

// Rotate signs a root and targets that name another set of online keys.
func (m *Makers) Rotate(keys publish.Keys) publish.Submission {
	m.t.Helper()
	m.keys = keys
	key, id := m.online(layout.RolloutsRole)
	return Join(m.Root(), m.NextTargets(func(s *metadata.TargetsType) {
		d := s.Delegations
		for i := range d.Roles {
			if d.Roles[i].Name == layout.RolloutsRole {
				delete(d.Keys, d.Roles[i].KeyIDs[0])
				d.Roles[i].KeyIDs, d.Keys[id] = []string{id}, key
			}
		}
	}))
}

// Private reads one of the server's private keys, as a thief would.
func Private(t testing.TB, path string) ed25519.PrivateKey {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is no PEM file", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(ed25519.PrivateKey)
}

// NextTargets signs the next version of targets.
func (m *Makers) NextTargets(edit ...func(*metadata.TargetsType)) publish.Submission {
	m.t.Helper()
	s := &m.Targets.Signed
	s.Version++
	s.Expires = m.Now.AddDate(1, 0, 0)
	for _, e := range edit {
		e(s)
	}
	return publish.Submission{Metadata: map[string][]byte{
		MetadataName(metadata.TARGETS, s.Version): Sign(m.t, m.Targets, m.People[:m.Signers]...),
	}}
}

// Product adds a product: delegation and an empty list of releases.
func (m *Makers) Product(p manifests.Product) publish.Submission {
	m.t.Helper()
	role := metadata.DelegatedRole{
		Name: layout.ReleasesRole(p), Threshold: 2, Terminating: true, Paths: []string{layout.ReleasesPattern(p)},
		UnrecognizedFields: named(m.Engineers),
	}
	d := m.Targets.Signed.Delegations
	for _, e := range m.Engineers {
		d.Keys[e.ID] = e.Key
		role.KeyIDs = append(role.KeyIDs, e.ID)
	}
	d.Roles = append(d.Roles, role)
	m.Releases[p] = metadata.Targets()
	m.Releases[p].Signed.Version = 0
	return Join(m.NextTargets(), m.NextReleases(p))
}

// Replace signs a delegation of a product to the present engineers.
func (m *Makers) Replace(p manifests.Product) publish.Submission {
	m.t.Helper()
	return m.NextTargets(func(s *metadata.TargetsType) {
		for i := range s.Delegations.Roles {
			if s.Delegations.Roles[i].Name != layout.ReleasesRole(p) {
				continue
			}
			s.Delegations.Roles[i].KeyIDs, s.Delegations.Roles[i].UnrecognizedFields = nil, named(m.Engineers)
			for _, e := range m.Engineers {
				s.Delegations.Keys[e.ID] = e.Key
				s.Delegations.Roles[i].KeyIDs = append(s.Delegations.Roles[i].KeyIDs, e.ID)
			}
		}
	})
}

// NextReleases signs the next version of a product's role.
func (m *Makers) NextReleases(p manifests.Product, edit ...func(*metadata.TargetsType)) publish.Submission {
	m.t.Helper()
	s := &m.Releases[p].Signed
	s.Version++
	s.Expires = m.Now.AddDate(0, 0, 120)
	s.UnrecognizedFields = map[string]any{layout.FieldNextBy: manifests.At(m.Now.AddDate(0, 2, 0)).String()}
	for _, e := range edit {
		e(s)
	}
	return publish.Submission{Metadata: map[string][]byte{
		MetadataName(layout.ReleasesRole(p), s.Version): Sign(m.t, m.Releases[p], m.Engineers[:min(m.Signers, 2)]...),
	}}
}

// Add signs a release document into its product's role.
func (m *Makers) Add(document []byte) publish.Submission {
	m.t.Helper()
	r, err := manifests.ParseRelease(document)
	m.must(err)
	path := layout.ReleasePath(r.Product, r.Build)
	hash := manifests.SumSHA256(document)
	s := m.NextReleases(r.Product, func(t *metadata.TargetsType) {
		t.Targets[path] = &metadata.TargetFiles{Length: int64(len(document)), Hashes: metadata.Hashes{"sha256": hash[:]}}
	})
	s.Targets = map[string][]byte{path: document}
	return s
}

// Withdraw signs a product's role without a build.
func (m *Makers) Withdraw(p manifests.Product, b manifests.Build) publish.Submission {
	m.t.Helper()
	return m.NextReleases(p, func(t *metadata.TargetsType) { delete(t.Targets, layout.ReleasePath(p, b)) })
}

// Blob is the blob that every release of tests names.
var Blob = []byte("firmware")

// Release makes a release document of Phone: 1 % at once, everybody after a
// day.
func (m *Makers) Release(build manifests.Build, edit ...func(*manifests.Release)) []byte {
	m.t.Helper()
	r := imagetest.Release(Phone, build, m.Now, imagetest.Unseen(build, imagetest.Blob(Blob)))
	r.Compatible.Models = []manifests.Name{"mi3"}
	r.Pace = []manifests.PaceStep{{MaxShare: 10_000}, {After: manifests.Duration{Duration: 24 * time.Hour}, MaxShare: manifests.WholeFleet}}
	for _, e := range edit {
		e(r)
	}
	data, err := r.Canonical()
	m.must(err)
	return data
}

// MetadataName is the file name of a version of a role.
func MetadataName(role string, version int64) string {
	return layout.MetadataFile(role, version)[len(layout.MetadataDir)+1:]
}

// Join makes one submission of several.
func Join(all ...publish.Submission) publish.Submission {
	out := publish.Submission{Metadata: map[string][]byte{}, Targets: map[string][]byte{}}
	for _, s := range all {
		maps.Copy(out.Metadata, s.Metadata)
		maps.Copy(out.Targets, s.Targets)
	}
	return out
}
