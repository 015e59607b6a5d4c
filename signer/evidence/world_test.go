package evidence_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// system is what people have signed and a service has published.
type system struct {
	t       testing.TB
	anchor  keyring.Anchor
	online  map[string]ed25519.PrivateKey
	files   map[string][]byte
	meta    map[string]*metadata.MetaFiles
	release rollout.Reference // of phone build 43
	// withdrawn is the proposal that takes it back.
	withdrawn *ceremony.Proposal
}

var (
	made   sync.Once // the keys of people take time
	shared system
)

// newSystem gives a system of its own: build 43 of phone is signed, and no
// rollout is published.
func newSystem(t testing.TB) *system {
	t.Helper()
	made.Do(func() { shared.make(t) })
	s := shared
	s.t, s.files, s.meta = t, maps.Clone(s.files), maps.Clone(s.meta)
	return &s
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) make(t testing.TB) {
	s.t, s.online, s.files, s.meta = t, map[string]ed25519.PrivateKey{}, map[string][]byte{}, map[string]*metadata.MetaFiles{}
	ring, public := keyring.Open(t.TempDir()), map[string]keyring.Public{}
	for _, n := range []string{"alice", "bob", "carol", "dora", "emil"} {
		p, err := ring.Create(keyring.NewKey{
			Name: n, Holder: strings.ToUpper(n[:1]) + n[1:] + " Example", Type: keyring.TypeEd25519, WorkFactor: keyring.MinWorkFactor,
		}, "a test passphrase")
		s.must(err)
		public[n] = p
	}
	sign := func(p *ceremony.Proposal, err error, names ...string) *ceremony.Proposal {
		s.must(err)
		for _, n := range names {
			key, err := ring.Unlock(t.Context(), n, keyring.Passphrase("a test passphrase"))
			s.must(err)
			image := ceremony.ImageNone
			if p.Release() != nil {
				image = ceremony.ImageRecomputed
			}
			s.must(p.Sign(t.Context(), key, image, noon))
		}
		return p
	}
	after := func(p *ceremony.Proposal) *ceremony.State {
		state, err := ceremony.FromProposal(p)
		s.must(err)
		return state
	}
	holders, engineers := []keyring.Public{public["alice"], public["bob"], public["carol"]}, []keyring.Public{public["dora"], public["emil"]}
	p, err := ceremony.Init(ceremony.InitOptions{RootKeys: holders, Threshold: 2, Online: s.service(), Now: noon})
	first := sign(p, err, "alice", "bob")
	s.anchor, err = first.Anchor()
	s.must(err)
	s.publish(first)
	p, err = ceremony.AddProduct(after(first), ceremony.ProductOptions{Product: "phone", Engineers: engineers, Threshold: 2, Now: noon})
	product := sign(p, err, "alice", "bob", "dora", "emil")
	s.publish(product)
	doc := s.document()
	p, err = ceremony.AddRelease(after(product), ceremony.ReleaseOptions{Document: doc, Now: noon})
	released := sign(p, err, "dora", "emil")
	s.publish(released)
	s.release = rollout.Reference{Path: layout.ReleasePath("phone", 43), Length: int64(len(doc)), SHA256: manifests.SumSHA256(doc)}
	p, err = ceremony.Withdraw(after(released), "phone", 43, noon)
	s.withdrawn = sign(p, err, "dora", "emil")
}

// service makes the online keys.
func (s *system) service() ceremony.Online {
	key := func(role string) ceremony.OnlineKey {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		s.must(err)
		s.online[role] = private
		key, err := keyring.KeyOf(private.Public())
		s.must(err)
		id, err := key.ID()
		s.must(err)
		return ceremony.OnlineKey{KeyID: id, Key: key}
	}
	return ceremony.Online{Rollouts: key("rollouts"), Snapshot: key("snapshot"), Timestamp: key("timestamp")}
}

func (s *system) document() []byte {
	r := imagetest.Release("phone", 43, noon)
	r.Compatible.Models = []manifests.Name{"mi3"}
	data, err := r.Canonical()
	s.must(err)
	return data
}

// publish takes a finished proposal into the tree.
func (s *system) publish(p *ceremony.Proposal) {
	s.t.Helper()
	done, err := p.Submission()
	s.must(err)
	for name, data := range done.Metadata {
		s.files[layout.MetadataDir+"/"+name] = data
		number, role, _ := strings.Cut(name, ".")
		version, err := strconv.ParseInt(number, 10, 64)
		s.must(err)
		if role != "root.json" {
			s.meta[role] = metaOf(version, data)
		}
	}
	for path, data := range done.Targets {
		s.files[layout.TargetFile(path, manifests.SumSHA256(data))] = data
	}
}

func metaOf(version int64, data []byte) *metadata.MetaFiles {
	m, sum := metadata.MetaFile(version), manifests.SumSHA256(data)
	m.Length, m.Hashes = int64(len(data)), metadata.Hashes{"sha256": sum[:]}
	return m
}

// offer signs a rollouts document with these rollouts, then everything above
// it, as of a moment.
func (s *system) offer(at time.Time, rollouts ...rollout.Rollout) {
	s.t.Helper()
	doc := &rollout.Document{Spec: rollout.Spec, Product: "phone", Counter: 1, Rollouts: append([]rollout.Rollout{}, rollouts...)}
	data, err := doc.Canonical()
	s.must(err)
	path, sum := layout.RolloutsPath("phone"), manifests.SumSHA256(data)
	s.files[layout.TargetFile(path, sum)] = data
	m := metadata.Targets(at.AddDate(0, 0, 7))
	m.Signed.Targets[path] = &metadata.TargetFiles{Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}, Path: path}
	role := signed(s, "rollouts", m)
	s.files[layout.MetadataFile("rollouts", 1)] = role
	s.meta["rollouts.json"] = metaOf(1, role)
	s.stamp(at, map[string]any{layout.FieldIssued: manifests.At(at).String()})
}

// stamp signs snapshot and timestamp anew.
func (s *system) stamp(at time.Time, fields map[string]any) {
	s.t.Helper()
	snapshot := metadata.Snapshot(at.AddDate(0, 0, 7))
	snapshot.Signed.Meta = s.meta
	data := signed(s, "snapshot", snapshot)
	s.files[layout.MetadataFile("snapshot", 1)] = data
	stamp := metadata.Timestamp(at.AddDate(0, 0, 2))
	stamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": metaOf(1, data)}
	stamp.Signed.UnrecognizedFields = fields
	s.files[layout.TimestampFile] = signed(s, "timestamp", stamp)
}

func signed[T metadata.Roles](s *system, role string, m *metadata.Metadata[T]) []byte {
	s.t.Helper()
	signer, err := signature.LoadED25519Signer(s.online[role])
	s.must(err)
	_, err = m.Sign(signer)
	s.must(err)
	data, err := m.ToBytes(false)
	s.must(err)
	return data
}
