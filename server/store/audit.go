package store

import (
	"context"

	"github.com/candor-ota/candor/manifests/audit"
)

// Entry is one line of the audit log.
type Entry = audit.Entry

// EntryQuery picks entries: of a subject (empty: all), after a sequence
// number, the oldest first, at most Limit (0: all).
type EntryQuery struct {
	Subject string
	After   int64
	Limit   int
}

// Audit is the log of what people and the server did. It only grows.
type Audit interface {
	// Append writes an entry on its own and gives it as recorded.
	Append(ctx context.Context, e Entry) (Entry, error)
	// Entries gives a part of the log; with an error, what came before it.
	Entries(ctx context.Context, q EntryQuery) ([]Entry, error)
	// Walk hands over every entry after a number, the oldest first, and ends
	// with the first error of f. It holds nothing while f works.
	Walk(ctx context.Context, after int64, f func(Entry) error) error
	// AuditHead gives the last entry's number and hash; zero if there is none.
	AuditHead(ctx context.Context) (audit.Head, error)
	// VerifyAudit walks the whole chain; an *audit.Broken names the first entry
	// that does not fit.
	VerifyAudit(ctx context.Context) error
}
