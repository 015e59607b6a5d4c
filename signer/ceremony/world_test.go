package ceremony

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

const (
	passphrase = "a test passphrase"
	phone      = manifests.Product("phone")
)

var start = time.Date(2014, 8, 10, 12, 0, 0, 0, time.UTC)

// world is a system in a test: people with keys, and the service's keys.
type world struct {
	t      testing.TB
	ring   *keyring.Ring
	public map[string]keyring.Public
	held   map[string]keyring.Signer // unlocked before
	online map[string]ed25519.PrivateKey
	now    time.Time
	files  map[string][]byte // published tree
	meta   map[string]*metadata.MetaFiles
	stamps int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, ring: keyring.Open(t.TempDir()), public: map[string]keyring.Public{}, held: map[string]keyring.Signer{}, online: map[string]ed25519.PrivateKey{},
		now: start, files: map[string][]byte{}, meta: map[string]*metadata.MetaFiles{},
	}
	for name, holder := range map[string]string{
		"alice": "Alice Chen", "bob": "Bob Okafor", "carol": "Carol Ruiz",
		"dora": "Dora Lind", "emil": "Emil Novak", "fay": "Fay Wong",
	} {
		w.key(name, holder)
	}
	for _, role := range []string{"rollouts", "snapshot", "timestamp"} {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		w.must(err)
		w.online[role] = key
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) key(name, holder string) keyring.Public {
	w.t.Helper()
	kind := keyring.TypeEd25519
	if name == "bob" || name == "emil" {
		kind = keyring.TypeP256
	}
	p, err := w.ring.Create(keyring.NewKey{Name: name, Holder: holder, Type: kind, WorkFactor: keyring.MinWorkFactor}, passphrase)
	w.must(err)
	w.public[name] = p
	delete(w.held, name)
	return p
}

func (w *world) publics(names ...string) []keyring.Public {
	var out []keyring.Public
	for _, n := range names {
		out = append(out, w.public[n])
	}
	return out
}

// unlock asks for the passphrase once: scrypt takes long, by intent.
func (w *world) unlock(name string) keyring.Signer {
	w.t.Helper()
	if k := w.held[name]; k != nil {
		return k
	}
	k, err := w.ring.Unlock(w.t.Context(), name, keyring.Passphrase(passphrase))
	w.must(err)
	w.held[name] = k
	return k
}

func (w *world) service() Online {
	w.t.Helper()
	k := func(role string) OnlineKey {
		key, err := keyring.KeyOf(w.online[role].Public())
		w.must(err)
		id, err := key.ID()
		w.must(err)
		return OnlineKey{KeyID: id, Key: key}
	}
	return Online{Rollouts: k("rollouts"), Snapshot: k("snapshot"), Timestamp: k("timestamp")}
}

// sign has people sign p; each is a name and how the images were looked at.
func (w *world) sign(p *Proposal, image Image, names ...string) *Proposal {
	w.t.Helper()
	for _, n := range names {
		w.must(p.Sign(w.t.Context(), w.unlock(n), image, w.now))
	}
	return p
}

func (w *world) initProposal() *Proposal {
	w.t.Helper()
	p, err := Init(InitOptions{RootKeys: w.publics("alice", "bob", "carol"), Threshold: 2, Online: w.service(), Now: w.now})
	w.must(err)
	return p
}

func (w *world) state(p *Proposal) *State {
	w.t.Helper()
	s, err := FromProposal(p)
	w.must(err)
	return s
}

// product gives a finished proposal that adds the phone.
func (w *world) product(s *State) *Proposal {
	w.t.Helper()
	p, err := AddProduct(s, ProductOptions{Product: phone, Engineers: w.publics("dora", "emil"), Threshold: 2, Now: w.now})
	w.must(err)
	return w.sign(p, ImageNone, "alice", "bob", "dora", "emil")
}

// ready is a system with root, targets and an empty product.
func (w *world) ready() *State {
	w.t.Helper()
	return w.state(w.product(w.state(w.sign(w.initProposal(), ImageNone, "alice", "bob"))))
}

func (w *world) release(build manifests.Build, edit ...func(*manifests.Release)) []byte {
	w.t.Helper()
	r := imagetest.Release(phone, build, w.now)
	r.Compatible.Models, r.Notes["zh"] = []manifests.Name{"mi3"}, "说明。"
	r.Pace = []manifests.PaceStep{{MaxShare: 10_000}, {After: manifests.Duration{Duration: time.Hour}, MaxShare: manifests.WholeFleet}}
	for _, e := range edit {
		e(r)
	}
	w.must(r.Validate())
	data, err := r.Canonical()
	w.must(err)
	return data
}

// collecting gives a release a label that sends contact numbers.
func collecting(r *manifests.Release) {
	r.Privacy.Collects = []manifests.Collection{{Data: "contact-numbers", Purpose: manifests.Text{"en": "Messaging."}, Default: manifests.Off, Stored: manifests.StoredNone}}
}

func asking(r *manifests.Release) {
	r.Privacy.Change = manifests.Text{"en": "Messaging is new."}
	r.Consent = manifests.Consent{Required: true, Notice: manifests.Text{"en": "May it?"}}
}

func (w *world) propose(s *State, doc []byte) *Proposal {
	w.t.Helper()
	p, err := AddRelease(s, ReleaseOptions{Document: doc, Now: w.now})
	w.must(err)
	return p
}

// publish adds a finished proposal to the tree as a server would.
func (w *world) publish(p *Proposal) {
	w.t.Helper()
	done, err := p.Submission()
	w.must(err)
	for _, r := range p.view.roles {
		data := done.Metadata[fileName(r.name, r.version)]
		w.files[layout.MetadataFile(r.name, r.version)] = data
		if r.name != metadata.ROOT {
			w.meta[r.name+".json"] = metaFile(r.version, data)
		}
	}
	for path, data := range done.Targets {
		w.files[layout.TargetFile(path, manifests.SumSHA256(data))] = data
	}
	w.stamp()
}

func metaFile(version int64, data []byte) *metadata.MetaFiles {
	m := metadata.MetaFile(version)
	sum := manifests.SumSHA256(data)
	m.Length, m.Hashes = int64(len(data)), metadata.Hashes{"sha256": sum[:]}
	return m
}

// stamp signs a new snapshot and timestamp with the service's keys.
func (w *world) stamp() {
	w.t.Helper()
	w.stamps++
	if w.meta["rollouts.json"] == nil {
		m := metadata.Targets(w.now.AddDate(0, 0, 7))
		signer, err := signature.LoadED25519Signer(w.online["rollouts"])
		w.must(err)
		_, err = m.Sign(signer)
		w.must(err)
		data, err := m.ToBytes(false)
		w.must(err)
		w.files[layout.MetadataFile("rollouts", 1)] = data
		w.meta["rollouts.json"] = metaFile(1, data)
	}
	w.restamp()
}

// restamp is stamp without a first list of rollouts.
func (w *world) restamp() {
	w.t.Helper()
	snapshot := metadata.Snapshot(w.now.AddDate(0, 0, 7))
	snapshot.Signed.Version, snapshot.Signed.Meta = w.stamps, w.meta
	signer, err := signature.LoadED25519Signer(w.online["snapshot"])
	w.must(err)
	_, err = snapshot.Sign(signer)
	w.must(err)
	data, err := snapshot.ToBytes(false)
	w.must(err)
	w.files[layout.MetadataFile("snapshot", w.stamps)] = data
	w.timestamp(map[string]*metadata.MetaFiles{"snapshot.json": metaFile(w.stamps, data)})
}

// timestamp signs a timestamp that names these files.
func (w *world) timestamp(meta map[string]*metadata.MetaFiles) {
	w.t.Helper()
	stamp := metadata.Timestamp(w.now.AddDate(0, 0, 2))
	stamp.Signed.Version, stamp.Signed.Meta = w.stamps, meta
	stamp.Signed.UnrecognizedFields = map[string]any{layout.FieldIssued: manifests.At(w.now).String()}
	signer, err := signature.LoadED25519Signer(w.online["timestamp"])
	w.must(err)
	_, err = stamp.Sign(signer)
	w.must(err)
	w.files[layout.TimestampFile], err = stamp.ToBytes(false)
	w.must(err)
}

// tree writes the published files into a directory.
func (w *world) tree() string {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, data := range w.files {
		path := filepath.Join(dir, name)
		w.must(os.MkdirAll(filepath.Dir(path), 0o755))
		w.must(os.WriteFile(path, data, 0o644))
	}
	return dir
}

// again reads a proposal back from its bytes.
func (w *world) again(p *Proposal) *Proposal {
	w.t.Helper()
	data, err := p.Marshal()
	w.must(err)
	back, err := Parse(data)
	w.must(err)
	return back
}
