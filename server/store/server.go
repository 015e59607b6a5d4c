package store

import (
	"context"
	"time"
)

// Server is a process that works on the ledger, as it tells of itself.
type Server struct {
	ID    string // of the process
	Home  string // of its data directory, which one process at a time can lock
	Alone bool   // it can bear no other beside it
	// Name and Program are for people: its host, and the version that it runs.
	Name, Program string
	// Facts are fingerprints, by name, of what servers on one ledger must or
	// should have in common. Nothing can be learned from one but whether two
	// are the same.
	Facts   map[string]string
	Started time.Time
	Seen    time.Time // by the ledger's clock; set by the ledger
}

// Roll is who is there.
type Roll struct {
	Now    time.Time // by the ledger's clock
	Others []Server  // the last seen first
	// Outdated: a newer server has brought the tables to where this one cannot
	// work on them.
	Outdated bool
}

// Servers keeps track of those that work on one ledger.
type Servers interface {
	// Announce says that a server is there, and gives the others. Whoever had
	// the same home before is gone; so are those not seen for a month.
	Announce(ctx context.Context, s Server) (Roll, error)
	// Leave takes a server off the roll.
	Leave(ctx context.Context, id string) error
	// Clock reads the ledger's clock.
	Clock(ctx context.Context) (time.Time, error)
}
