package carry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
)

// edge is a mirror, and a handset that reads it and keeps what it has seen.
type edge struct {
	t      *testing.T
	h      *house
	dir    string
	reader *releasetest.Reader
}

func newEdge(t *testing.T, h *house) *edge {
	t.Helper()
	e := &edge{t: t, h: h, dir: filepath.Join(t.TempDir(), "mirror")}
	must(t, os.Mkdir(e.dir, 0o755))
	view, err := disk.OpenView(e.dir)
	must(t, err)
	t.Cleanup(func() { must(t, view.Close()) })
	e.reader = &releasetest.Reader{Blobs: view, Now: func() time.Time { return h.now }}
	return e
}

func (e *edge) mirror(from carry.Origin, check bool) (carry.Mirrored, error) {
	e.t.Helper()
	f, err := carry.OpenFolder(e.dir)
	must(e.t, err)
	done, err := carry.Mirror(e.t.Context(), from, f, e.h.now, check)
	must(e.t, f.Close())
	return done, err
}

func (e *edge) read() *policy.Document {
	e.t.Helper()
	doc, _, err := e.reader.Read(e.t, releasetest.Phone)
	if err != nil {
		e.t.Fatalf("a handset cannot read the mirror: %v", err)
	}
	return doc
}

func (e *edge) has(key string) bool {
	_, err := os.Stat(filepath.Join(e.dir, key))
	return err == nil
}

var image = layout.BlobFile(manifests.SumSHA256(releasetest.Blob))

func TestMirrorIsAPlainCopyThatHandsetsRead(t *testing.T) {
	for name, origin := range map[string]func(h *house) carry.Origin{
		"store": func(h *house) carry.Origin { return carry.StoreOrigin{From: h.blobs} },
		"server": func(h *house) carry.Origin {
			server := httptest.NewServer(h.api)
			t.Cleanup(server.Close)
			o, err := carry.NewWebOrigin(server.URL, nil)
			must(t, err)
			t.Cleanup(func() { must(t, o.Close()) })
			return o
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := h.rollout(42)
			e, from := newEdge(t, h), origin(h)
			done, err := e.mirror(from, false)
			must(t, err)
			if e.read().Rollouts[0].State != policy.Active || !e.has(image) || done.Fetched != done.Files {
				t.Errorf("%+v", done)
			}
			if again, err := e.mirror(from, true); err != nil || again.Fetched != 0 || again.Removed != 0 || again.Version != done.Version {
				t.Errorf("%+v, %v", again, err)
			}
			old := layout.MetadataFile("snapshot", h.api.Tree.Tree().Snapshot)
			h.change(id, rollout.Halt)
			if _, err := e.mirror(from, false); err != nil || e.read().Rollouts[0].State != policy.Halted || !e.has(old) {
				t.Errorf("after a halt: %v", err)
			}
			for range 4 {
				h.now = h.now.Add(24 * time.Hour)
				must(t, h.api.Tree.Renew(t.Context()))
				_, err = e.mirror(from, false)
				must(t, err)
			}
			if e.has(old) || !e.has(layout.MetadataFile("root", 1)) || !e.has(image) {
				t.Error("after the grace: the old snapshot is there, or a root or an image is gone")
			}
			e.read()
			st, err := os.Stat(filepath.Join(e.dir, image))
			if err != nil || st.Mode().Perm()&0o044 != 0o044 {
				t.Errorf("a web server of another user cannot read it: %v", st.Mode())
			}
		})
	}
}

// failing is an origin of which the nth request fails.
type failing struct {
	carry.Origin
	left int
}

func (f *failing) fail() error {
	if f.left--; f.left < 0 {
		return errKilled
	}
	return nil
}

func (f *failing) Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	if err := f.fail(); err != nil {
		return nil, store.Info{}, err
	}
	return f.Origin.Open(ctx, key)
}

func (f *failing) Image(ctx context.Context, key string, at int64) (io.ReadCloser, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Origin.Image(ctx, key, at)
}

func TestMirrorThatIsCutOffShowsWhatItShowed(t *testing.T) {
	h := newHouse(t)
	id := h.rollout(42)
	e := newEdge(t, h)
	from := carry.StoreOrigin{From: h.blobs}
	_, err := e.mirror(from, false)
	must(t, err)
	h.change(id, rollout.Halt)
	must(t, os.Remove(filepath.Join(e.dir, image))) // so that there is an image to fetch
	n := 0
	for ; ; n++ {
		_, err := e.mirror(&failing{from, n}, false)
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) || n > 50 {
			t.Fatalf("%d: %v", n, err)
		}
		if doc := e.read(); doc.Rollouts[0].State != policy.Active {
			t.Fatalf("cut off at request %d: a mixture", n)
		}
	}
	if n < 5 || e.read().Rollouts[0].State != policy.Halted {
		t.Errorf("after %d requests: %+v", n, e.read())
	}
}

// spoilt is an origin whose image is another one, or half of it.
type spoilt struct {
	carry.Origin
	make func(offset int64) []byte
	from []int64 // offsets that were asked for
}

func (s *spoilt) Image(_ context.Context, _ string, at int64) (io.ReadCloser, error) {
	s.from = append(s.from, at)
	return io.NopCloser(bytes.NewReader(s.make(at))), nil
}

func TestNoOtherBytesGetANameInTheMirror(t *testing.T) {
	h := newHouse(t)
	h.rollout(42)
	e := newEdge(t, h)
	from := carry.StoreOrigin{From: h.blobs}
	for what, data := range map[string][]byte{
		"other bytes": bytes.Repeat([]byte("x"), len(releasetest.Blob)),
		"more":        append(bytes.Clone(releasetest.Blob), 'x'),
	} {
		_, err := e.mirror(&spoilt{Origin: from, make: func(int64) []byte { return data }}, false)
		if err == nil || !strings.Contains(err.Error(), "thrown away") || e.has(image) || e.has(layout.TimestampFile) {
			t.Errorf("%s: %v", what, err)
		}
	}
	half := len(releasetest.Blob) / 2
	s := &spoilt{Origin: from, make: func(at int64) []byte { return releasetest.Blob[at:half] }}
	if _, err := e.mirror(s, false); err == nil || !strings.Contains(err.Error(), "goes on from there") {
		t.Errorf("half an image: %v", err)
	}
	s.make = func(at int64) []byte { return releasetest.Blob[at:] }
	_, err := e.mirror(s, false)
	must(t, err)
	if len(s.from) != 2 || s.from[1] != int64(half) {
		t.Errorf("asked for from %v", s.from)
	}
	e.read()
	must(t, os.WriteFile(filepath.Join(e.dir, image), bytes.Repeat([]byte("y"), len(releasetest.Blob)), 0o600))
	if done, err := e.mirror(from, true); err != nil || done.Fetched != 1 {
		t.Errorf("a damaged image is put right: %+v, %v", done, err)
	}
	if got, err := os.ReadFile(filepath.Join(e.dir, image)); err != nil || !bytes.Equal(got, releasetest.Blob) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestMirrorNeverGoesBackNorOver(t *testing.T) {
	h := newHouse(t)
	id := h.rollout(42)
	stale := newDisk(t)
	_, err := carry.MoveBlobs(t.Context(), h.blobs, stale, func(string) {})
	must(t, err)
	h.change(id, rollout.Halt)
	e := newEdge(t, h)
	done, err := e.mirror(carry.StoreOrigin{From: h.blobs}, false)
	must(t, err)
	old, err := e.mirror(carry.StoreOrigin{From: stale}, false)
	if err != nil || !old.Behind || old.Version != done.Version || e.read().Rollouts[0].State != policy.Halted {
		t.Errorf("an origin that is behind: %+v, %v", old, err)
	}
	if _, err := e.mirror(carry.StoreOrigin{From: newHouse(t).blobs}, false); !errors.Is(err, publish.ErrOtherTree) {
		t.Errorf("another installation: %v", err)
	}
	if _, err := e.mirror(carry.StoreOrigin{From: newDisk(t)}, false); !errors.Is(err, carry.ErrNothing) {
		t.Errorf("nothing: %v", err)
	}
	full := t.TempDir()
	must(t, os.WriteFile(filepath.Join(full, "index.html"), nil, 0o600))
	if _, err := carry.OpenFolder(full); err == nil || !strings.Contains(err.Error(), "empty folder") {
		t.Errorf("over a web site: %v", err)
	}
	f, err := carry.OpenFolder(e.dir)
	must(t, err)
	if _, err := carry.OpenFolder(e.dir); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two at once: %v", err)
	}
	must(t, f.Close())
}

func TestOriginThatLiesIsNotMirrored(t *testing.T) {
	h := newHouse(t)
	h.rollout(42)
	b := newDisk(t)
	_, err := carry.MoveBlobs(t.Context(), h.blobs, b, func(string) {})
	must(t, err)
	path := layout.MetadataFile("snapshot", h.api.Tree.Tree().Snapshot)
	now, _, err := b.Load(t.Context(), path)
	must(t, err)
	// Of the same shape, so that only verifying tells: another expiry.
	other := bytes.Replace(now, []byte(`"expires":"20`), []byte(`"expires":"21`), 1)
	e := newEdge(t, h)
	for _, data := range [][]byte{[]byte("{}"), other} {
		must(t, b.Delete(t.Context(), path))
		must(t, store.PutBytes(t.Context(), b, path, data))
		if _, err := e.mirror(carry.StoreOrigin{From: b}, false); bytes.Equal(data, now) || err == nil || e.has(layout.TimestampFile) {
			t.Errorf("got %v", err)
		}
	}
	for _, bad := range []string{"", "ftp://x/", "/srv", "https://x/?y"} {
		if _, err := carry.NewWebOrigin(bad, nil); err == nil {
			t.Errorf("%q is an origin", bad)
		}
	}
}
