package relational

import (
	"context"
	"database/sql"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Dialect is what an engine does in its own way. Its methods are safe for
// concurrent use; those that take a transaction end nothing.
type Dialect interface {
	Marks

	// Order makes a transaction that has done nothing yet wait until no other
	// ordered one is under way, on any replica.
	Order(ctx context.Context, tx *sql.Tx) error
	// Hold waits until no other transaction, on any replica, counts, switches
	// or closes the votes of these releases, and keeps it so until this one
	// ends. IDs come sorted.
	Hold(ctx context.Context, tx *sql.Tx, releases ...int64) error
	// Announce tells other replicas, once the transaction has committed, that
	// a head has moved.
	Announce(ctx context.Context, tx *sql.Tx, head string) error
	// Clock is an expression for the engine's time of now, in milliseconds
	// since 1970.
	Clock() string
	// Channel is an expression for the channel of a rollout's plan, as its
	// indexes have it.
	Channel() string
	// Erase makes sure that what was deleted cannot be read from the files any
	// more, as far as the engine can.
	Erase(ctx context.Context) error
	// Judge says what an error of the engine means, in words for the log, with
	// store.ErrUnavailable or store.ErrBusy where that is what it is.
	Judge(err error) (verdict Verdict, told error)
}

// Marks reads and writes what may be there only once, in the transaction of a
// group, which holds the votes of its releases.
type Marks interface {
	// Buckets gives, in order and each once, the buckets in which places lie.
	// Places come sorted. None means that the release has no bucket yet.
	Buckets(ctx context.Context, tx *sql.Tx, release int64, places []int64) ([]Bucket, error)
	// Keep writes buckets, in the place of those with the same First.
	Keep(ctx context.Context, tx *sql.Tx, release int64, buckets []Bucket) error
	// Draw writes issue records. No two rows have the same key. Rows whose key
	// is there already are left alone: Old is set, and Stored to the bytes that
	// stand there.
	Draw(ctx context.Context, tx *sql.Tx, rows []Drawn) error
}

// Drawn is a token given out. Its key is all but the element.
type Drawn struct {
	Release int64
	Set     vote.Set
	Class   vote.Class
	Tag     store.Tag
	Element [16]byte
	Old     bool
	Stored  [16]byte
}

// Verdict says whether a transaction that failed can be repeated.
type Verdict int

const (
	// Final: repeating it changes nothing.
	Final Verdict = iota
	// Lost: to another transaction; nothing was written.
	Lost
	// Gone: the engine cannot be reached. What was being committed may or may
	// not have been written.
	Gone
)
