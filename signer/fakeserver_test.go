package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

const testToken = "candor-test-token"

// fakeServer publishes what it is given, unchecked, with online keys of its
// own. The real one is tested with the signer in scripts/world.
type fakeServer struct {
	mu     sync.Mutex
	dir    string
	http   *httptest.Server
	keys   map[string]ed25519.PrivateKey
	meta   map[string]*metadata.MetaFiles
	stamps int64
	lists  int64            // versions of rollouts
	sizes  map[string]int64 // of uploads

	rollouts *fakeRollouts
	events   fakeEvents
	cut      int // answers to words that are lost on their way
}

func newFakeServer(dir string) (*fakeServer, error) {
	s := &fakeServer{dir: dir, keys: map[string]ed25519.PrivateKey{}, meta: map[string]*metadata.MetaFiles{}, sizes: map[string]int64{}, rollouts: newFakeRollouts()}
	if err := s.newKeys(); err != nil {
		return nil, err
	}
	for _, sub := range []string{"metadata", "targets", "blobs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/uploads", s.begin)
	mux.HandleFunc("PATCH /v1/uploads/{id}", s.patch)
	s.eventRoutes(mux)
	s.rollouts.routes(mux)
	mux.Handle("GET /", http.FileServer(http.Dir(dir)))
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/v1/")) && r.Header.Get("Authorization") != "Bearer "+testToken {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	return s, nil
}

// newKeys makes keys with which the next submission is signed.
func (s *fakeServer) newKeys() error {
	for _, role := range []string{"rollouts", "snapshot", "timestamp"} {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		s.keys[role] = key
	}
	delete(s.meta, "rollouts.json")
	return nil
}

// newOnline has the server make new keys: newonline FILE.
func newOnline(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serverKey).(*fakeServer)
	s.mu.Lock()
	defer s.mu.Unlock()
	ts.Check(s.newKeys())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), s.online(), 0o644))
}

// online is what candor-server init would export.
func (s *fakeServer) online() []byte {
	out := map[string]ceremony.OnlineKey{}
	for role, private := range s.keys {
		key, err := keyring.KeyOf(private.Public())
		if err != nil {
			panic(err)
		}
		out[role] = ceremony.OnlineKey{Key: key}
	}
	data, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return data
}

func (s *fakeServer) begin(w http.ResponseWriter, r *http.Request) {
	var in api.UploadRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.sizes[in.Sha256] = in.Size
	s.state(w, in.Sha256)
}

func (s *fakeServer) state(w io.Writer, id string) {
	out := api.Upload{Id: id, Size: s.sizes[id]}
	if info, err := os.Stat(filepath.Join(s.dir, "blobs", id)); err == nil {
		out.Offset = info.Size()
	}
	out.Complete = out.Offset == out.Size
	_ = json.NewEncoder(w).Encode(out)
}

func (s *fakeServer) patch(w http.ResponseWriter, r *http.Request) {
	at, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "blobs", r.PathValue("id")), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, err = io.Copy(io.NewOffsetWriter(f, at), r.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.state(w, r.PathValue("id"))
}

// missing names a blob of the release that was not uploaded.
func (s *fakeServer) missing(p *ceremony.Proposal) string {
	if p.Release() == nil {
		return ""
	}
	for _, m := range p.Release().Images {
		if _, err := os.Stat(filepath.Join(s.dir, layout.BlobFile(m.Pack.SHA256))); err != nil {
			return "blob " + m.Pack.SHA256.String() + " was not uploaded"
		}
	}
	return ""
}

func (s *fakeServer) publish(files, targets map[string][]byte) error {
	var err error
	for name, data := range files {
		err = errors.Join(err, s.write(path.Join(layout.MetadataDir, name), data))
		number, role, _ := strings.Cut(name, ".")
		if version, convErr := strconv.ParseInt(number, 10, 64); convErr == nil && role != "root.json" {
			s.meta[role] = metaOf(version, data)
		}
	}
	for name, data := range targets {
		err = errors.Join(err, s.write(layout.TargetFile(name, manifests.SumSHA256(data)), data))
	}
	return errors.Join(err, s.stamp())
}

func (s *fakeServer) write(name string, data []byte) error {
	file := filepath.Join(s.dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o644))
}

func metaOf(version int64, data []byte) *metadata.MetaFiles {
	m, sum := metadata.MetaFile(version), manifests.SumSHA256(data)
	m.Length, m.Hashes = int64(len(data)), metadata.Hashes{"sha256": sum[:]}
	return m
}

func (s *fakeServer) stamp() error {
	s.stamps++
	if s.meta["rollouts.json"] == nil {
		s.lists++
		rollouts := metadata.Targets(time.Now().Add(time.Hour).UTC())
		rollouts.Signed.Version = s.lists
		data, err := signed(rollouts, s.keys["rollouts"])
		if err != nil {
			return err
		}
		if err := s.write(layout.MetadataFile("rollouts", s.lists), data); err != nil {
			return err
		}
		s.meta["rollouts.json"] = metaOf(s.lists, data)
	}
	snapshot := metadata.Snapshot(time.Now().Add(time.Hour).UTC())
	snapshot.Signed.Version, snapshot.Signed.Meta = s.stamps, s.meta
	data, err := signed(snapshot, s.keys["snapshot"])
	if err != nil {
		return err
	}
	stamp := metadata.Timestamp(time.Now().Add(time.Hour).UTC())
	stamp.Signed.Version = s.stamps
	stamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": metaOf(s.stamps, data)}
	stamp.Signed.UnrecognizedFields = map[string]any{layout.FieldIssued: manifests.At(time.Now()).String()}
	err = s.write(layout.MetadataFile("snapshot", s.stamps), data)
	if data, signErr := signed(stamp, s.keys["timestamp"]); signErr == nil {
		return errors.Join(err, s.write(layout.TimestampFile, data))
	} else {
		return errors.Join(err, signErr)
	}
}

func signed[T metadata.Roles](m *metadata.Metadata[T], key ed25519.PrivateKey) ([]byte, error) {
	signer, err := signature.LoadED25519Signer(key)
	if err != nil {
		return nil, err
	}
	if _, err := m.Sign(signer); err != nil {
		return nil, err
	}
	return m.ToBytes(false)
}

// voteKeys is what the server exports for phone build 41.
func voteKeys() []byte {
	var master vote.Master
	primary, spare, err := master.Rules(vote.Ref{Product: "phone", Build: 41})
	if err != nil {
		panic(err)
	}
	data, err := json.Marshal(voteKeyFile{Product: "phone", Build: 41, Primary: primary, Spare: spare})
	if err != nil {
		panic(err)
	}
	return data
}

// makePeople makes a key and a public file for each name: people alice bob …
func makePeople(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		ring := keyring.Open(ts.MkAbs("keys"))
		p, err := ring.Create(keyring.NewKey{
			Name: name, Holder: strings.ToUpper(name[:1]) + name[1:] + " Example", Type: keyring.TypeEd25519, WorkFactor: keyring.MinWorkFactor,
		}, "a test passphrase")
		ts.Check(err)
		data, err := p.Marshal()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name+".pub"), data, 0o644))
	}
}

// makeImage writes a raw image of some size: image FILE SIZE SEED [edited].
// Two images of different seeds share their first half; an edited one has a
// byte changed here and there.
func makeImage(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, size)
	state := uint64(1)
	for i := range data {
		if i == size/2 {
			state += uint64(len(args[2])) + uint64(args[2][0])
		}
		state = state*6364136223846793005 + 1442695040888963407
		data[i] = byte(state >> 56)
		if len(args) > 3 && i%50_000 == 0 {
			data[i] ^= 1
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}
