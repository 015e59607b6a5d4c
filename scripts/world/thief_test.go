package world_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/config"
)

// thief has every online key and the whole network between server and handset:
// what it does not answer itself comes from the real server.
type thief struct {
	t     *testing.T
	keys  map[string]signature.Signer
	world *world.World
	url   string
	rolls *metadata.Metadata[metadata.TargetsType]
	snap  *metadata.Metadata[metadata.SnapshotType]
	stamp *metadata.Metadata[metadata.TimestampType]

	mu       sync.Mutex
	files    map[string][]byte
	requests []string
	meddle   func(path string, r *http.Response, body []byte) []byte
}

func newThief(t *testing.T, w *world.World) *thief {
	t.Helper()
	th := &thief{t: t, keys: map[string]signature.Signer{}, world: w, files: map[string][]byte{}}
	for _, role := range []string{layout.RolloutsRole, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		th.keys[role] = steal(t, filepath.Join(config.Dir(w.Path("data")).Keys(), role+".pem"))
	}
	s := httptest.NewServer(th)
	t.Cleanup(s.Close)
	th.url = s.URL
	th.learn()
	return th
}

func steal(t *testing.T, file string) signature.Signer {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is not PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadSigner(key, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func (th *thief) get(path string) []byte {
	th.t.Helper()
	var b []byte
	if err := th.world.Call(context.Background(), http.MethodGet, "/"+path, nil, &b); err != nil {
		th.t.Fatal(err)
	}
	return b
}

// learn reads what is published now.
func (th *thief) learn() {
	var err error
	if th.stamp, err = metadata.Timestamp().FromBytes(th.get(layout.TimestampFile)); err != nil {
		th.t.Fatal(err)
	}
	if th.snap, err = metadata.Snapshot().FromBytes(th.get(layout.MetadataFile("snapshot", th.stamp.Signed.Meta["snapshot.json"].Version))); err != nil {
		th.t.Fatal(err)
	}
	if th.rolls, err = metadata.Targets().FromBytes(th.get(layout.MetadataFile(layout.RolloutsRole, th.snap.Signed.Meta["rollouts.json"].Version))); err != nil {
		th.t.Fatal(err)
	}
}

func seal[T metadata.Roles](th *thief, m *metadata.Metadata[T], s signature.Signer) []byte {
	th.t.Helper()
	m.ClearSignatures()
	if _, err := m.Sign(s); err != nil {
		th.t.Fatal(err)
	}
	b, err := m.ToBytes(false)
	if err != nil {
		th.t.Fatal(err)
	}
	return b
}

func (th *thief) put(path string, b []byte) {
	th.mu.Lock()
	defer th.mu.Unlock()
	th.files[path] = b
}

func (th *thief) target(path string, doc []byte) rollout.Reference {
	info, err := metadata.TargetFile().FromBytes(path, doc, "sha256")
	if err != nil {
		th.t.Fatal(err)
	}
	th.rolls.Signed.Targets[path] = info
	hash := manifests.SumSHA256(doc)
	th.put(layout.TargetFile(path, hash), doc)
	return rollout.Reference{Path: path, Length: int64(len(doc)), SHA256: hash}
}

// publish signs a rollouts document with the stolen keys and serves it.
func (th *thief) publish(product manifests.Product, rollouts ...rollout.Rollout) {
	th.t.Helper()
	prev := manifests.SumSHA256([]byte("whatever"))
	doc, err := (&rollout.Document{Spec: rollout.Spec, Product: product, Counter: 1 << 20, Prev: &prev, Rollouts: rollouts}).Canonical()
	if err != nil {
		th.t.Fatal(err)
	}
	th.target(layout.RolloutsPath(product), doc)
	th.rolls.Signed.Version += 1000
	th.vouch(layout.RolloutsRole, th.rolls.Signed.Version, seal(th, th.rolls, th.keys[layout.RolloutsRole]))
	th.head()
}

func (th *thief) vouch(role string, version int64, b []byte) {
	th.put(layout.MetadataFile(role, version), b)
	sum := manifests.SumSHA256(b)
	info := metadata.MetaFile(version)
	info.Length, info.Hashes = int64(len(b)), metadata.Hashes{"sha256": sum[:]}
	th.snap.Signed.Meta[role+".json"] = info
}

func (th *thief) head() {
	th.snap.Signed.Version += 1000
	b := seal(th, th.snap, th.keys[metadata.SNAPSHOT])
	th.put(layout.MetadataFile("snapshot", th.snap.Signed.Version), b)
	sum := manifests.SumSHA256(b)
	info := metadata.MetaFile(th.snap.Signed.Version)
	info.Length, info.Hashes = int64(len(b)), metadata.Hashes{"sha256": sum[:]}
	th.stamp.Signed.Meta["snapshot.json"] = info
	th.stamp.Signed.Version += 1000
	th.stamp.Signed.UnrecognizedFields[layout.FieldIssued] = manifests.At(time.Now()).String()
	th.put(layout.TimestampFile, seal(th, th.stamp, th.keys[metadata.TIMESTAMP]))
}

// signed gives the reference under which the engineers sign a build.
func (th *thief) signed(product manifests.Product, build manifests.Build) rollout.Reference {
	role := layout.ReleasesRole(product)
	m, err := metadata.Targets().FromBytes(th.get(layout.MetadataFile(role, th.snap.Signed.Meta[role+".json"].Version)))
	if err != nil {
		th.t.Fatal(err)
	}
	path := layout.ReleasePath(product, build)
	hash, err := manifests.ParseSHA256(hex.EncodeToString(m.Signed.Targets[path].Hashes["sha256"]))
	if err != nil {
		th.t.Fatal(err)
	}
	return rollout.Reference{Path: path, Length: m.Signed.Targets[path].Length, SHA256: hash}
}

func toEverybody(id string, build manifests.Build, ref rollout.Reference) rollout.Rollout {
	return rollout.Rollout{
		ID: manifests.Name(id), Release: ref, Build: build, Channel: "stable",
		State: rollout.Active, Share: manifests.WholeFleet, Kind: manifests.KindCritical,
	}
}

func (th *thief) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	th.mu.Lock()
	th.requests = append(th.requests, r.Method+" "+path)
	own, stolen := th.files[path]
	meddle := th.meddle
	th.mu.Unlock()
	if stolen {
		http.ServeContent(w, r, path, time.Time{}, bytes.NewReader(own))
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, th.world.Server+r.URL.Path, r.Body)
	if err != nil {
		th.t.Error(err)
		return
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	body, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil {
		th.t.Error(err, cerr)
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	if meddle != nil {
		body = meddle(path, resp, body)
	}
	w.WriteHeader(resp.StatusCode)
	if _, err := w.Write(body); err != nil {
		return // a body cut short is what some of these tests do
	}
}

func (th *thief) asked() []string {
	th.mu.Lock()
	defer th.mu.Unlock()
	out := th.requests
	th.requests = nil
	return out
}
