package store

import "context"

// Ledger is everything that the server counts, approves and remembers. No
// consumer needs all of it: each takes the small interface of its noun.
//
// The rules of the package comment hold for every method: durable when it
// returns nil, safe for concurrent use, made to be repeated. Methods that take
// an Entry append it to the audit log in the same transaction.
type Ledger interface {
	Products
	Releases
	Rollouts
	RolloutPages
	Audit
	Leases
	Versions
	Tokens
	Sessions
	Uploads
	Batches
	Enrolments
	VoteKeys
	Ballots
	Shows
	Labs
	Hooks
	Idempotency
	Events

	// Ping tells whether the ledger can be read, for readiness.
	Ping(ctx context.Context) error
	// Close waits for what is being written.
	Close() error
}
