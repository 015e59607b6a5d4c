package trust_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// tree is a published tree without a network.
type tree map[string][]byte

func (f tree) Get(_ context.Context, path string, most int64, etag string) (fetch.Response, error) {
	data, ok := f[path]
	switch {
	case !ok:
		return fetch.Response{}, fmt.Errorf("%s: %w", path, fetch.ErrNotFound)
	case int64(len(data)) > most:
		return fetch.Response{}, fmt.Errorf("%s has %d bytes", path, len(data))
	case etag == layout.ETag(data):
		return fetch.Response{NotModified: true, ETag: etag}, nil
	}
	return fetch.Response{Body: data, ETag: layout.ETag(data)}, nil
}

// shot is the tree as it is now.
func (r *repo) shot() tree {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := tree{}
	for path, data := range r.files {
		files[path] = data
	}
	return files
}

// walk is one poll over a disk by a new process.
func walk(t *testing.T, d disk.Disk, files tree) (*trust.View, error) {
	t.Helper()
	store, err := trust.OpenStoreOn(d, "trust")
	if err != nil {
		t.Fatal(err)
	}
	c := &trust.Client{Store: store, Fetch: files, Product: product, Clock: func() (time.Time, bool) { return epoch, true }, Built: epoch.AddDate(0, -1, 0)}
	return c.Poll(t.Context())
}

// The power is cut within each operation of a walk over a tree with a new root,
// a new release and a new rollout, with every outcome, and once more within the
// next walk: nothing is found damaged, the walk after it holds and shows the
// newest tree, and from then on older trees are refused.
func TestPowerCutInAWalkLosesNoTrust(t *testing.T) {
	r, d := newRepo(t), disktest.New(1)
	if err := disk.Replace(d, "trust/root.json", r.shot()[layout.MetadataFile("root", 1)]); err != nil {
		t.Fatal(err)
	}
	r.open(42)
	r.publish()
	old := r.shot()
	if _, err := walk(t, d, old); err != nil {
		t.Fatal(err)
	}
	r.keys["timestamp"] = append(r.keys["timestamp"], newKey(t))
	r.list("timestamp")
	r.root.Signed.Version++
	r.signRoot()
	r.open(43)
	r.publish()
	files := r.shot()

	states := 0
	d = d.Clone()
	cutEvery(t, d, old, files, func(after *disktest.Disk, when string) {
		states++
		for _, name := range after.Files() {
			if strings.HasSuffix(name, ".damaged") {
				t.Fatalf("%s: %s", when, name)
			}
		}
		view, err := walk(t, after, files)
		if err != nil || view.Document == nil || len(view.Document.Rollouts) != 2 || view.Releases[manifests.Build(43)].Release == nil {
			t.Fatalf("%s: %+v, %v", when, view, err)
		}
		if view, err := walk(t, after, old); err == nil && view.Releases[43].Release == nil {
			t.Fatalf("%s: an older tree was believed", when)
		}
	})
	if states < 100 {
		t.Errorf("only %d states", states)
	}
	t.Logf("%d states", states)
}

// cutEvery shows every disk that one cut of a walk leaves, and of the walk after
// it some that a second one does.
func cutEvery(t *testing.T, d *disktest.Disk, old, files tree, show func(*disktest.Disk, string)) {
	t.Helper()
	seen := map[uint64]bool{}
	once := func(d *disktest.Disk, when string) bool {
		if print := d.Fingerprint(""); !seen[print] {
			seen[print] = true
			show(d.Clone(), when)
			return true
		}
		return false
	}
	d.Record()
	if _, err := walk(t, d, files); err != nil {
		t.Fatal(err)
	}
	ended := d.Recorded()
	for w, more := d.Walk(), true; more; more = w.Next() {
		for _, o := range luck(w) {
			first := w.Crash(o)
			when := fmt.Sprintf("%d@%s", w.Position(), o)
			if w.Position() == ended {
				if view, err := walk(t, first.Clone(), old); err == nil && view.Releases[43].Release == nil {
					t.Fatalf("%s: the walk had ended, and an older tree was believed", when)
				}
			}
			if !once(first, when) {
				continue
			}
			first.Record()
			if _, err := walk(t, first, files); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			for w, more := first.Walk(), true; more; more = w.Next() {
				o := disktest.Outcome{Kind: "torn", N: uint64(w.Position())}
				once(w.Crash(o), fmt.Sprintf("%s %d@%s", when, w.Position(), o))
			}
		}
	}
}

// luck is every outcome with a name, and some by chance.
func luck(w *disktest.Walk) []disktest.Outcome {
	all := disktest.Outcomes(w.Pending())
	for seed := range uint64(12) {
		all = append(all, disktest.Outcome{Kind: "some", N: seed}, disktest.Outcome{Kind: "torn", N: seed})
	}
	return all
}
