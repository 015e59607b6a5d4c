package store

import "errors"

// The answers on which callers branch. Drivers wrap them with what and where.
var (
	// ErrNotFound: there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrExists: the name is taken by something else.
	ErrExists = errors.New("already exists with other content")
	// ErrConflict: the same request was answered before, with other content.
	ErrConflict = errors.New("conflicts with what is recorded")
	// ErrStale: it changed since it was read, or the lease has passed on.
	ErrStale = errors.New("changed since it was read")
	// ErrBusy: too much is waiting to be written; try again later.
	ErrBusy = errors.New("too many writes are waiting")
	// ErrUnavailable: the database cannot be reached or has run out of
	// something. Unlike the others it does not promise that nothing was written.
	ErrUnavailable = errors.New("the ledger is not available")
	// ErrFull: the cap on such things is used up.
	ErrFull = errors.New("cap reached")
	// ErrClosed: the votes of the release are closed.
	ErrClosed = errors.New("the votes of this release are closed")
	// ErrRetired: the key set is not the one in use.
	ErrRetired = errors.New("the key set is not in use")
	// ErrMismatch: bytes differ from the size or sha256 they were announced with.
	ErrMismatch = errors.New("bytes differ from what was announced")
)
