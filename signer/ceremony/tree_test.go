package ceremony

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// published is a system with build 41 live, in w.files.
func (w *world) published() (anchor keyring.Anchor) {
	w.t.Helper()
	first := w.sign(w.initProposal(), ImageNone, "alice", "bob")
	anchor, err := first.Anchor()
	w.must(err)
	w.publish(first)
	product := w.product(w.state(first))
	w.publish(product)
	w.publish(w.sign(w.sign(w.propose(w.state(product), w.release(41)), ImageBuilder, "dora"), ImageRecomputed, "emil"))
	return anchor
}

func (w *world) load(anchor keyring.Anchor) (*State, error) {
	w.t.Helper()
	src, err := Dir(w.tree())
	w.must(err)
	return Load(context.Background(), src, anchor, w.now)
}

func TestPublishedTreeIsLoadedFromTheRoot(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	s, err := w.load(anchor)
	if err != nil {
		t.Fatal(err)
	}
	live, err := s.Releases(phone)
	w.must(err)
	if len(live) != 1 || live[0].Build != 41 {
		t.Errorf("live: %v", live)
	}
	p := w.propose(s, w.release(42))
	if err := w.again(p).TrustedBy(anchor); err != nil {
		t.Error(err)
	}
}

func TestServerIsReadLikeADirectory(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	server := httptest.NewServer(http.FileServer(http.Dir(w.tree())))
	defer server.Close()
	src, err := Server(server.URL)
	w.must(err)
	if _, err := Load(context.Background(), src, anchor, w.now); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedTreeRefused(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"another root": func(w *world) { w.files[layout.MetadataFile("root", 1)] = newWorld(w.t).rootFile() },
		"mixed snapshot": func(w *world) {
			w.files[layout.MetadataFile("snapshot", 3)] = w.files[layout.MetadataFile("snapshot", 2)]
		},
		"flipped release":     func(w *world) { w.flip(w.documentFile()) },
		"missing release":     func(w *world) { delete(w.files, w.documentFile()) },
		"flipped targets":     func(w *world) { w.flip(layout.MetadataFile("targets", 2)) },
		"html for timestamp":  func(w *world) { w.files[layout.TimestampFile] = []byte("<html>") },
		"truncated timestamp": func(w *world) { w.files[layout.TimestampFile] = w.files[layout.TimestampFile][:50] },
		"empty timestamp":     func(w *world) { w.files[layout.TimestampFile] = nil },
		"endless timestamp":   func(w *world) { w.files[layout.TimestampFile] = bytes.Repeat([]byte(" "), 1<<20) },
		"expired timestamp":   func(w *world) { w.now = w.now.AddDate(0, 0, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			anchor := w.published()
			damage(w)
			if _, err := w.load(anchor); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

func (w *world) rootFile() []byte {
	w.published()
	return w.files[layout.MetadataFile("root", 1)]
}

func (w *world) documentFile() string {
	for name := range w.files {
		if strings.HasPrefix(name, layout.TargetsDir) {
			return name
		}
	}
	w.t.Fatal("no document")
	return ""
}

func (w *world) flip(name string) {
	data := bytes.Clone(w.files[name])
	data[len(data)/2] ^= 1
	w.files[name] = data
}

func TestExpiredTimestampSaysSo(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	w.now = w.now.AddDate(0, 0, 3)
	if _, err := w.load(anchor); !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "timestamp") {
		t.Fatalf("got %v", err)
	}
}

func TestSourceDoesNotLeaveItsDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tree"), 0o700); err != nil {
		t.Fatal(err)
	}
	src, err := Dir(filepath.Join(dir, "tree"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(context.Background(), "../secret"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

// A client that knows nothing of Candor must be able to verify what we sign.
func TestPlainTUFClientAcceptsTheTree(t *testing.T) {
	w := newWorld(t)
	w.published()
	server := httptest.NewServer(http.FileServer(http.Dir(w.tree())))
	defer server.Close()
	cfg, err := config.New(server.URL+"/metadata", w.files[layout.MetadataFile("root", 1)])
	w.must(err)
	cfg.LocalMetadataDir, cfg.LocalTargetsDir = t.TempDir(), t.TempDir()
	cfg.RemoteTargetsURL, cfg.PrefixTargetsWithHash = server.URL+"/targets", true
	u, err := updater.New(cfg)
	w.must(err)
	u.UnsafeSetRefTime(w.now)
	if err := u.Refresh(); err != nil {
		t.Fatal(err)
	}
	info, err := u.GetTargetInfo("releases/phone/41.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, data, err := u.DownloadTarget(info, "", ""); err != nil || !bytes.Equal(data, w.release(41)) {
		t.Fatalf("downloaded %d bytes, %v", len(data), err)
	}
}

func FuzzParse(f *testing.F) {
	w := newWorld(f)
	for _, p := range []*Proposal{w.sign(w.initProposal(), ImageNone, "alice"), w.propose(w.ready(), w.release(41))} {
		data, err := p.Marshal()
		w.must(err)
		f.Add(data)
	}
	f.Add([]byte(`{"base":{"documents":[],"roots":[]},"created":"2014-08-10T12:00:00Z","documents":[],"format":"candor-proposal-1","kind":"init","roles":[{"name":"root","signatures":[],"signed":"{}"},{"name":"targets","signatures":[],"signed":"{}"}],"statements":[]}`))
	f.Add([]byte(`{"base":{"documents":[],"roots":["{\"signed\":{\"_type\":\"root\"},\"signatures\":[]}"],"targets":"{}"},"created":"2014-08-10T12:00:00Z","documents":[],"format":"candor-proposal-1","kind":"renew","product":"p","roles":[],"statements":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		again, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(again)
		if err != nil || back.Hash() != p.Hash() {
			t.Fatalf("round trip: %v", err)
		}
	})
}

func TestWholeTreeOfAnotherSystemRefused(t *testing.T) {
	mine, other := newWorld(t), newWorld(t)
	anchor := mine.published()
	other.published()
	if _, err := other.load(anchor); !errors.Is(err, ErrOtherRoot) {
		t.Fatalf("got %v", err)
	}
	anchor.Version = 2
	if _, err := mine.load(anchor); !errors.Is(err, ErrOtherRoot) {
		t.Fatalf("a root that is not there: %v", err)
	}
}
