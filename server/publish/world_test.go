package publish_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

const phone = releasetest.Phone

var ctx = context.Background()

// rollouts is what the engine would say: one rollout of each listed build that
// is signed.
type rollouts struct {
	builds []manifests.Build
	state  rollout.State
	mu     sync.Mutex // of state, where something runs
}

func (r *rollouts) set(s rollout.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
}

func (r *rollouts) Rollouts(_ context.Context, p manifests.Product, signed map[manifests.Build]rollout.Reference) ([]rollout.Rollout, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []rollout.Rollout
	for _, b := range r.builds {
		if ref, ok := signed[b]; ok {
			out = append(out, rollout.Rollout{
				ID: manifests.Name(b.String()), Release: ref, Build: b, Channel: "stable", State: r.state, Share: 10_000, Kind: manifests.KindNormal,
			})
		}
	}
	return out, nil
}

// world is a publisher's surroundings, which outlive it.
type world struct {
	t        *testing.T
	dir      string // of keys, tree and ledger
	ledger   *sqlite.Ledger
	blobs    *disk.Blobs
	keys     publish.Keys
	makers   *releasetest.Makers
	rollouts *rollouts
	reader   *releasetest.Reader
	mu       sync.Mutex
	at       time.Time // leases are renewed beside the test
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, rollouts: &rollouts{state: rollout.Active}, at: releasetest.Start}
	var err error
	w.keys, err = publish.CreateKeys(dir)
	w.must(err)
	w.must(disk.Create(filepath.Join(dir, "tree")))
	w.blobs, err = disk.Open(filepath.Join(dir, "tree"))
	w.must(err)
	w.ledger = sqlitetest.NewLedger(t, filepath.Join(dir, "ledger.db"))
	t.Cleanup(func() {
		if err := errors.Join(w.ledger.Close(), w.blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	w.makers = releasetest.New(t, w.keys)
	w.reader = &releasetest.Reader{Blobs: w.blobs, Now: w.clock}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) set(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = to
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open(l publish.Ledger, b publish.Blobs) (*publish.Publisher, error) {
	return publish.Open(ctx, w.options(l, b))
}

func (w *world) options(l publish.Ledger, b publish.Blobs) publish.Options {
	return publish.Options{
		Ledger: l, Blobs: b, Keys: w.keys, Rollouts: w.rollouts, Now: w.clock,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// replica is a publisher among others.
func (w *world) replica(l publish.Ledger, b publish.Blobs) *publish.Publisher {
	w.t.Helper()
	o := w.options(l, b)
	o.Turn = 10 * time.Second
	p, err := publish.Open(ctx, o)
	w.must(err)
	return p
}

func (w *world) start() *publish.Publisher {
	w.t.Helper()
	p, err := w.open(w.ledger, w.blobs)
	w.must(err)
	return p
}

// submit publishes without verification, which is package release's.
func submit(p *publish.Publisher, s publish.Submission) (int64, error) {
	return p.Submit(ctx, func(publish.State) (publish.Submission, error) { return s, nil })
}

func (w *world) read() *rollout.Document {
	w.t.Helper()
	doc, _, err := w.reader.Read(w.t, phone)
	if err != nil {
		w.t.Fatalf("a handset cannot read the tree: %v", err)
	}
	return doc
}

// faults fails one store operation: before it does anything, or after it did.
// With meanwhile it does not fail, but something happens first, or then.
type faults struct {
	at        int
	after     bool
	mu        sync.Mutex
	count     int
	meanwhile func()
}

// now counts an operation and tells whether it is the one.
func (f *faults) now() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	return f.count == f.at
}

var errFault = errors.New("fault")

func (f *faults) around(do func() error) error {
	if !f.now() {
		return do()
	}
	if f.meanwhile != nil {
		if !f.after {
			f.meanwhile()
		}
		err := do()
		if f.after {
			f.meanwhile()
		}
		return err
	}
	if f.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errFault
}

type faultyLedger struct {
	*sqlite.Ledger
	*faults
}

func (l faultyLedger) ReserveVersion(ctx context.Context, lease store.Lease, role string, least int64) (v int64, err error) {
	err = l.around(func() error { v, err = l.Ledger.ReserveVersion(ctx, lease, role, least); return err })
	return v, err
}

func (l faultyLedger) SetHead(ctx context.Context, lease store.Lease, old int64, h store.Head) error {
	return l.around(func() error { return l.Ledger.SetHead(ctx, lease, old, h) })
}

func (l faultyLedger) Head(ctx context.Context, name string) (h store.Head, err error) {
	err = l.around(func() error { h, err = l.Ledger.Head(ctx, name); return err })
	return h, err
}

type faultyBlobs struct {
	*disk.Blobs
	*faults
}

func (b faultyBlobs) Put(ctx context.Context, o store.Object, body io.Reader) error {
	return b.around(func() error { return b.Blobs.Put(ctx, o, body) })
}

func (b faultyBlobs) Replace(ctx context.Context, key string, data []byte, old store.ETag) (tag store.ETag, err error) {
	err = b.around(func() error { tag, err = b.Blobs.Replace(ctx, key, data, old); return err })
	return tag, err
}

func (b faultyBlobs) Load(ctx context.Context, key string) (data []byte, tag store.ETag, err error) {
	err = b.around(func() error { data, tag, err = b.Blobs.Load(ctx, key); return err })
	return data, tag, err
}

func file(t *testing.T, p *publish.Publisher, path string) *publish.File {
	t.Helper()
	f := p.Tree().File(path)
	if f == nil {
		t.Fatalf("%s is not in the tree", path)
	}
	return f
}

func timestampOf(t *testing.T, p *publish.Publisher) string {
	t.Helper()
	return string(file(t, p, layout.TimestampFile).Body)
}
