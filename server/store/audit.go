package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests/audit"
)

// Entry is one line of the audit log.
type Entry = audit.Entry

// EntryQuery picks entries; the zero value picks all, the oldest first.
type EntryQuery struct {
	Subject string // only what was done to this
	What    string // only what begins so
	Who     string // only of those whose name has this in it, in any case of letters
	After   int64  // only with a higher number
	Before  int64  // only with a lower number; 0: all
	Newest  bool   // the newest first
	Limit   int    // at most so many; 0: all
}

// Audit is the log of what people and the server did. It only grows.
type Audit interface {
	// Append writes an entry on its own and gives it as recorded.
	Append(ctx context.Context, e Entry) (Entry, error)
	// Entries gives a part of the log; with an error, what came before it.
	// A query with Who looks at every entry between After and Before until it has
	// Limit; any other finds them by an index.
	Entries(ctx context.Context, q EntryQuery) ([]Entry, error)
	// AuditBetween gives the number of the first entry that is not older than
	// since, and of the last that is not newer than until; a zero time is no
	// bound. No entry between: last is below first.
	AuditBetween(ctx context.Context, since, until time.Time) (first, last int64, err error)
	// Walk hands over every entry after a number, the oldest first, and ends
	// with the first error of f. It holds nothing while f works.
	Walk(ctx context.Context, after int64, f func(Entry) error) error
	// AuditHead gives the last entry's number and hash; zero if there is none.
	AuditHead(ctx context.Context) (audit.Head, error)
	// VerifyAudit walks the whole chain; an *audit.Broken names the first entry
	// that does not fit.
	VerifyAudit(ctx context.Context) error
}
