package api

import (
	"context"
	"time"

	"github.com/candor-ota/candor/server/observe"
	"github.com/candor-ota/candor/server/release"
)

// publishTurn is how long a change waits for the publishing of other servers:
// longer than the lease of one that died lives.
const publishTurn = 10 * time.Second

// turn is how long publishing waits for its turn.
func (p Parts) turn() time.Duration {
	if p.Shared {
		return publishTurn
	}
	return 0
}

// uploads keeps what arrives where every server can go on with it.
func (p Parts) uploads(blobs *observe.Blobs) (*release.Uploads, error) {
	if p.Shared {
		return release.NewSharedUploads(p.Ledger, blobs, p.UploadDir, p.Now)
	}
	return release.NewUploads(p.Ledger, blobs, p.UploadDir, p.Now)
}

// share prepares for other servers. ledger is the one that came in Parts: it
// may tell when a head moves.
func (d *Deps) share(p Parts, ledger any) {
	if !p.Shared {
		return
	}
	d.follower = d.Tree.Follower(func(ctx context.Context) (int64, error) {
		head, err := p.Ledger.AuditHead(ctx)
		return head.Seq, err
	})
	d.changes, _ = ledger.(changes)
}

// changes is what a ledger of several processes offers: a signal after a head
// has moved.
type changes interface {
	Changes(ctx context.Context) <-chan struct{}
}

// follow follows other servers until ctx ends; without any it has nothing to do.
func (a *API) follow(ctx context.Context) {
	if a.follower == nil {
		return
	}
	var moved <-chan struct{}
	if a.changes != nil {
		moved = a.changes.Changes(ctx)
	}
	a.follower.Run(ctx, moved)
}
