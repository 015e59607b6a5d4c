package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// Ledger is the part of the ledger that is needed here.
type Ledger interface {
	store.Products
	store.Releases
}

// Blobs is the part of the store of blobs that is needed here.
type Blobs interface {
	Stat(ctx context.Context, key string) (store.Info, error)
	Put(ctx context.Context, o store.Object, body io.Reader) error
	Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
}

// Tree is where verified submissions go.
type Tree interface {
	State(ctx context.Context) (publish.State, error)
	Document(ctx context.Context, product manifests.Product, build manifests.Build) (rollout.Reference, []byte, bool, error)
	Submit(ctx context.Context, verify func(publish.State) (publish.Submission, error)) (int64, error)
}

// Options of an Intake.
type Options struct {
	Ledger Ledger
	Blobs  Blobs
	Tree   Tree
	Keys   publish.Keys // only their ids are looked at, and those of the other sets
	Master vote.Master  // vote keys in releases must be derived from it
	Now    func() time.Time
	// OpenVotes starts to take votes on a release that carries vote keys.
	OpenVotes func(context.Context, vote.Ref) error
	// UseSpare counts the votes on a release under its spare keys, as its
	// engineers signed it. Again, for closed votes, and for a release that takes
	// none, it does nothing.
	UseSpare func(context.Context, vote.Ref, store.Entry) error
}

// Intake takes submissions.
type Intake struct{ Options }

// New makes an Intake.
func New(o Options) (*Intake, error) {
	if _, err := o.Keys.All(); err != nil {
		return nil, err
	}
	return &Intake{o}, nil
}

// Result of a submission.
type Result struct {
	Accepted []string // file names and target paths
	Snapshot int64    // the version that carries them
}

// Submit verifies and publishes, and records what was published on behalf of
// by. permit may refuse a product. Whoever asked and goes away does not end it:
// what is published is recorded too.
func (in *Intake) Submit(ctx context.Context, by string, s publish.Submission, permit func(manifests.Product) error) (Result, error) {
	ctx = context.WithoutCancel(ctx)
	for name := range s.Metadata {
		role, _ := splitName(name)
		product, _ := layout.ReleasesRoleProduct(role)
		if err := permit(product); err != nil {
			return Result{}, err
		}
	}
	sets, err := in.Keys.All()
	if err != nil {
		return Result{}, err
	}
	snapshot, err := in.Tree.Submit(ctx, func(state publish.State) (publish.Submission, error) {
		v := verifier{
			ctx: ctx, state: state, given: s, now: in.Now(), online: sets, master: in.Master, blobs: in.Blobs, ledger: in.Ledger,
		}
		return s, v.verify()
	})
	if locked := (*publish.LockedOut)(nil); errors.As(err, &locked) {
		return Result{}, refuse(locked.Role, "%v; nothing was published", locked)
	}
	if err != nil {
		return Result{}, fmt.Errorf("submission: %w", err)
	}
	accepted := append(slices.Sorted(maps.Keys(s.Metadata)), slices.Sorted(maps.Keys(s.Targets))...)
	return Result{accepted, snapshot}, in.Reconcile(ctx, by)
}

// Reconcile writes into the ledger what the published tree says of products
// and releases, and opens the votes of new ones. Again changes nothing; it
// runs after each submission and at start.
func (in *Intake) Reconcile(ctx context.Context, by string) error {
	state, err := in.Tree.State(ctx)
	if err != nil {
		return err
	}
	for product, role := range state.Releases {
		if err := in.reconcileProduct(ctx, by, product); err != nil {
			return fmt.Errorf("record %s: %w", product, err)
		}
		m, err := parseTargets(layout.ReleasesRole(product), role)
		if err != nil {
			return err
		}
		for path := range m.Signed.Targets {
			if err := in.published(ctx, by, path, state.Documents[path]); err != nil {
				return fmt.Errorf("record %s: %w", path, err)
			}
		}
		if err := in.spare(ctx, by, product, m); err != nil {
			return err
		}
		if err := in.withdrawn(ctx, by, product); err != nil {
			return fmt.Errorf("record withdrawals of %s: %w", product, err)
		}
	}
	return nil
}

func (in *Intake) reconcileProduct(ctx context.Context, by string, p manifests.Product) error {
	_, err := in.Ledger.Product(ctx, p)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err = in.Ledger.AddProduct(ctx, store.Product{Name: p, Created: in.Now()}, in.entry(by, "product.add", string(p)))
	return elsewhere(err, store.ErrExists)
}

func (in *Intake) entry(by, what, subject string) store.Entry {
	return store.Entry{At: in.Now().UTC().Truncate(time.Second), Who: by, What: what, Subject: subject}
}

func (in *Intake) published(ctx context.Context, by, path string, data []byte) error {
	r, err := manifests.ParseRelease(data)
	if err != nil {
		return err
	}
	ref := vote.Ref{Product: r.Product, Build: r.Build}
	have, err := in.Ledger.Release(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		have = store.Release{
			Product: r.Product, Build: r.Build, Version: r.Version, Path: path, SHA256: manifests.SumSHA256(data),
			Length: int64(len(data)), State: store.ReleaseStaged, Submitted: in.Now(), SubmittedBy: by,
		}
		err = in.Ledger.AddRelease(ctx, have, in.entry(by, "release.add", ref.String()))
	}
	if err != nil {
		return err
	}
	if have.State != store.ReleaseStaged {
		return nil
	}
	if r.Votes.Primary != nil {
		if err := in.OpenVotes(ctx, ref); err != nil {
			return err
		}
	}
	err = in.Ledger.MoveRelease(ctx, ref, store.ReleaseStaged, store.ReleasePublished, in.entry(by, "release.publish", ref.String()))
	return elsewhere(err, store.ErrStale)
}

// elsewhere drops the answer that another server has just recorded the same.
func elsewhere(err, answer error) error {
	if errors.Is(err, answer) {
		return nil
	}
	return err
}

// withdrawn reads the tree after the ledger: a release that another server has
// just published and recorded is in the tree then, and not taken for withdrawn.
func (in *Intake) withdrawn(ctx context.Context, by string, p manifests.Product) error {
	list, err := in.Ledger.Releases(ctx, p)
	if err != nil {
		return err
	}
	state, err := in.Tree.State(ctx)
	if err != nil {
		return err
	}
	m, err := parseTargets(layout.ReleasesRole(p), state.Releases[p])
	if err != nil {
		return err
	}
	for _, r := range list {
		if _, signed := m.Signed.Targets[r.Path]; signed || r.State != store.ReleasePublished {
			continue
		}
		what, to := "release.withdraw", store.ReleaseWithdrawn
		// The archive says how it left: the list that said so may be gone by now.
		_, err := in.Blobs.Stat(ctx, layout.ArchiveFile(r.Product, r.Build, layout.Retired))
		switch {
		case err == nil:
			what, to = "release.retire", store.ReleaseRetired
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		err = in.Ledger.MoveRelease(ctx, r.Ref(), store.ReleasePublished, to, in.entry(by, what, r.Ref().String()))
		if err := elsewhere(err, store.ErrStale); err != nil {
			return err
		}
	}
	return nil
}

// Live gives a release that is signed and published, and the reference under
// which it is; store.ErrNotFound if there is none.
func (in *Intake) Live(ctx context.Context, ref vote.Ref) (*manifests.Release, rollout.Reference, error) {
	reference, data, ok, err := in.Tree.Document(ctx, ref.Product, ref.Build)
	if err != nil {
		return nil, rollout.Reference{}, err
	}
	if !ok {
		return nil, rollout.Reference{}, fmt.Errorf("release %s: %w", ref, store.ErrNotFound)
	}
	r, err := manifests.ParseRelease(data)
	if err != nil {
		return nil, rollout.Reference{}, fmt.Errorf("release %s: %w", ref, err)
	}
	return r, reference, nil
}
