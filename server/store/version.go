package store

import (
	"context"
	"time"
)

// Head is what is published: the version of the head object, its ETag in the
// blob store, and the publisher's own description of it.
type Head struct {
	Name     string // such as "timestamp"
	Version  int64
	ETag     ETag
	Document []byte
	Fence    int64 // set by the ledger: of the lease under which it was written
	Updated  time.Time
}

// Versions numbers what is published, under a lease.
type Versions interface {
	// ReserveVersion gives the next version of a role, at least least; it is
	// used up even if nothing is ever signed with it. ErrStale means that the
	// lease has passed on.
	ReserveVersion(ctx context.Context, l Lease, role string, least int64) (int64, error)
	// ReservedVersions gives the last version of each role.
	ReservedVersions(ctx context.Context) (map[string]int64, error)
	// Head is ErrNotFound before the first SetHead.
	Head(ctx context.Context, name string) (Head, error)
	// SetHead replaces version old (0: none yet) by h. ErrStale means that the
	// lease has passed on, that another version stands there, or that h does
	// not rise; the very same version again is fine.
	SetHead(ctx context.Context, l Lease, old int64, h Head) error
}
