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
	// Hold keeps the votes of releases from being switched or closed until the
	// transaction ends; alone, also from being counted. IDs come sorted.
	Hold(ctx context.Context, tx *sql.Tx, alone bool, releases ...int64) error
	// Announce tells other replicas, once the transaction has committed, that
	// a head has moved.
	Announce(ctx context.Context, tx *sql.Tx, head string) error
	// Erase makes sure that what was deleted cannot be read from the files any
	// more, as far as the engine can.
	Erase(ctx context.Context) error
	// Judge says what an error of the engine means, in words for the log, with
	// store.ErrUnavailable or store.ErrBusy where that is what it is.
	Judge(err error) (error, Verdict)
}

// Marks writes what may be there only once, in a group's transaction. No two
// rows of a call have the same key. Rows whose key is there already are left
// alone: Old is set, and Stored to the bytes that stand there.
type Marks interface {
	Spend(ctx context.Context, tx *sql.Tx, rows []Spent) error
	Draw(ctx context.Context, tx *sql.Tx, rows []Drawn) error
}

// Spent is a nullifier and a part of the vote's MAC. Its key is release and
// nullifier.
type Spent struct {
	Release   int64
	Nullifier vote.Nullifier
	Check     [8]byte
	Old       bool
	Stored    [8]byte
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
