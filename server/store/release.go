package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// ReleaseState says how far a release has come.
type ReleaseState string

// The states of a release: its documents are stored; a published snapshot
// names it; its engineers have withdrawn it; or retired it, for nobody needs it.
const (
	ReleaseStaged    ReleaseState = "staged"
	ReleasePublished ReleaseState = "published"
	ReleaseWithdrawn ReleaseState = "withdrawn"
	ReleaseRetired   ReleaseState = "retired"
)

// Release is a signed release as it was submitted. Path, SHA256 and Length are
// those of the signed document in TUF's targets.
type Release struct {
	Product     manifests.Product
	Build       manifests.Build
	Version     string
	Path        string
	SHA256      manifests.SHA256
	Length      int64
	State       ReleaseState
	Submitted   time.Time
	SubmittedBy string
}

// Ref names the release.
func (r Release) Ref() vote.Ref { return vote.Ref{Product: r.Product, Build: r.Build} }

// Releases keeps the submitted releases.
type Releases interface {
	// AddRelease is nil and writes nothing if the same document is recorded
	// already, ErrExists if another one has this build, ErrNotFound if the
	// product is unknown.
	AddRelease(ctx context.Context, r Release, e Entry) error
	// Release is ErrNotFound if there is none.
	Release(ctx context.Context, ref vote.Ref) (Release, error)
	// Releases gives those of a product, the newest build first.
	Releases(ctx context.Context, product manifests.Product) ([]Release, error)
	// NewestReleases gives the highest builds of a product, at most limit, the
	// newest first; staged ones are left out.
	NewestReleases(ctx context.Context, product manifests.Product, limit int) ([]Release, error)
	// ReleaseBelow gives the next lower build of a product that is not staged;
	// ErrNotFound if there is none.
	ReleaseBelow(ctx context.Context, ref vote.Ref) (Release, error)
	// MoveRelease is ErrStale unless the release is in state from.
	MoveRelease(ctx context.Context, ref vote.Ref, from, to ReleaseState, e Entry) error
}
