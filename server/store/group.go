package store

import "time"

// Commit is one group of votes and issue records that was written together.
type Commit struct {
	Writes int           // in the group
	Took   time.Duration // from the begin of the transaction until it was durable, or had failed
	Err    error         // of the whole group
}

// Groups is what a ledger that writes in groups tells about them, besides
// being a Ledger.
type Groups interface {
	// OnCommit has f called after each group, from one goroutine at a time; f
	// must be quick. A second call replaces the first f.
	OnCommit(f func(Commit))
	// Queued is how many writes wait for their group.
	Queued() int
}
