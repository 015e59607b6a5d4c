package publish_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
)

func TestKeysSignFromTheRootThatNamesThemOn(t *testing.T) {
	w, p := ready(t)
	set, err := publish.CreateSet(w.dir)
	w.must(err)
	w.advance(7 * time.Hour)
	w.must(p.Renew(ctx)) // they wait
	w.read()
	before := p.Tree().Snapshot
	_, err = submit(p, w.makers.Rotate(set.Keys))
	w.must(err)
	w.read()
	if p.Tree().Snapshot <= before {
		t.Errorf("snapshot %d after %d", p.Tree().Snapshot, before)
	}
	w.advance(7 * time.Hour)
	w.must(p.Renew(ctx))
	w.read()
	next := w.start() // a restart finds them again
	w.advance(7 * time.Hour)
	w.must(next.Renew(ctx))
	w.read()
}

// A thief of all three keys has signed the highest number that there is, and a
// handset has seen it. New keys let it recover, with numbers that go on where
// the server was.
func TestHandsetRecoversFromFastForwardWhenAllKeysAreReplaced(t *testing.T) {
	w, p := ready(t)
	w.read()
	honest := map[string][]byte{layout.TimestampFile: w.load(layout.TimestampFile)}
	w.forward(p)
	w.read() // it believes the thief
	for path, data := range honest {
		w.replace(path, data)
	}
	if _, _, err := w.reader.Read(t, phone); err == nil {
		t.Fatal("the thief's numbers were forgotten without a reason")
	}
	set, err := publish.CreateSet(w.dir)
	w.must(err)
	_, err = submit(p, w.makers.Rotate(set.Keys))
	w.must(err)
	w.read()
	if v := p.Tree().Snapshot; v > 100 {
		t.Errorf("snapshot %d: the server follows the thief's numbers", v)
	}
}

func TestServerWithoutTheKeysThatTheRootNamesSaysSo(t *testing.T) {
	w, p := ready(t)
	set, err := publish.CreateSet(w.dir)
	w.must(err)
	_, err = submit(p, w.makers.Rotate(set.Keys))
	w.must(err)
	w.must(set.Remove())
	next := w.start()
	w.advance(7 * time.Hour)
	if err := next.Renew(ctx); !errors.Is(err, publish.ErrOtherKeys) {
		t.Errorf("got %v", err)
	}
	w.read() // what was published is still served
}

func TestSetsAreMadeWholeAndRemovedWhole(t *testing.T) {
	dir := t.TempDir()
	if _, err := publish.Sets(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "backup") {
		t.Errorf("no keys: %v", err)
	}
	if _, err := publish.CreateKeys(dir); err != nil {
		t.Fatal(err)
	}
	second, err := publish.CreateSet(dir)
	if err != nil || second.Number != 2 {
		t.Fatal(second, err)
	}
	for _, name := range []string{"rollouts.pem", "snapshot.pem", "timestamp.pem", "online-keys.json"} {
		if st, err := os.Stat(filepath.Join(second.Dir, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	sets, err := publish.Sets(dir)
	if err != nil || len(sets) != 2 {
		t.Fatal(sets, err)
	}
	if err := os.Remove(filepath.Join(dir, "snapshot.pem")); err != nil { // a removal was cut short
		t.Fatal(err)
	}
	if sets, err = publish.Sets(dir); err != nil || len(sets) != 1 || sets[0].Number != 2 {
		t.Errorf("%v, %v", sets, err)
	}
	if err := os.Remove(filepath.Join(second.Dir, "timestamp.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := publish.Sets(dir); err == nil || !strings.Contains(err.Error(), "lacks some") {
		t.Errorf("half a set: %v", err)
	}
}

func (w *world) load(path string) []byte {
	w.t.Helper()
	data, _, err := w.blobs.Load(ctx, path)
	w.must(err)
	return data
}

func (w *world) replace(path string, data []byte) {
	w.t.Helper()
	_, tag, err := w.blobs.Load(ctx, path)
	w.must(err)
	_, err = w.blobs.Replace(ctx, path, data, tag)
	w.must(err)
}

// forward publishes what a thief of the keys signs: the same tree, under the
// highest numbers.
func (w *world) forward(p *publish.Publisher) {
	w.t.Helper()
	const most = 1<<31 - 1
	snapshot, err := metadata.Snapshot().FromBytes(file(w.t, p, layout.MetadataFile(metadata.SNAPSHOT, p.Tree().Snapshot)).Body)
	w.must(err)
	snapshot.Signed.Version = most
	data := releasetest.Sign(w.t, snapshot, w.thief(metadata.SNAPSHOT))
	w.must(store.PutBytes(ctx, w.blobs, layout.MetadataFile(metadata.SNAPSHOT, most), data))
	stamp, err := metadata.Timestamp().FromBytes(w.load(layout.TimestampFile))
	w.must(err)
	sum := manifests.SumSHA256(data)
	stamp.Signed.Version = most
	stamp.Signed.Meta["snapshot.json"] = &metadata.MetaFiles{Version: most, Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
	w.replace(layout.TimestampFile, releasetest.Sign(w.t, stamp, w.thief(metadata.TIMESTAMP)))
}

// thief has the server's first key of a role.
func (w *world) thief(role string) releasetest.Person {
	return releasetest.Person{Private: releasetest.Private(w.t, filepath.Join(w.dir, role+".pem"))}
}
