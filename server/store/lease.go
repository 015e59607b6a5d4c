package store

import (
	"context"
	"time"
)

// Lease is the right to do something alone for a while, such as to publish.
// Fence rises each time the lease passes to someone else; writes that the
// lease protects carry it and are refused once it has passed on.
type Lease struct {
	Name    string
	Holder  string
	Fence   int64
	Expires time.Time
}

// LeaseRequest asks for a lease until Now + For. Holder must be unique to the
// process, also across restarts.
type LeaseRequest struct {
	Name   string
	Holder string
	Now    time.Time
	For    time.Duration
}

// Leases hands out leases. Clocks of replicas may differ by less than the
// length of a lease: the fence, not the clock, is what protects the writes.
type Leases interface {
	// Acquire takes a free or expired lease, or renews one's own. ErrConflict
	// means that somebody else holds it; the lease that comes with it says who.
	Acquire(ctx context.Context, r LeaseRequest) (Lease, error)
	// Lease gives who has a lease, or had it last: its Expires is zero once it
	// was given up. ErrNotFound if nobody ever had it.
	Lease(ctx context.Context, name string) (Lease, error)
	// Yield gives up a lease early. One that has passed on is left alone.
	Yield(ctx context.Context, l Lease) error
}
