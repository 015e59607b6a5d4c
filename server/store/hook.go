package store

import (
	"context"
	"time"
)

// Hook is how far a webhook has come in the audit log, which is its outbox,
// and how its receiver has been doing.
type Hook struct {
	Name     string
	Position int64 // the last entry that was handed over, given up or not wanted

	// Ever since the hook was made.
	Delivered int64
	Failures  int64
	GaveUp    int64

	// Of the entry that is being tried; zero when none has failed.
	Attempts     int64
	FailingSince time.Time
	NextTry      time.Time // not before
	LastError    string    // at most MaxHookError bytes

	DeliveredAt time.Time // the last success; zero: none yet
}

// MaxHookError bounds what is kept of an error, in bytes.
const MaxHookError = 300

// Hooks keeps the state of webhooks.
type Hooks interface {
	// OpenHook gives the state of a hook. One that is new begins at the end of
	// the log: it hears of what comes, not of what was.
	OpenHook(ctx context.Context, name string) (Hook, error)
	// Hooks gives all that were ever opened, by name.
	Hooks(ctx context.Context) ([]Hook, error)
	// SaveHook writes the state of a hook that was opened. An entry with a verb
	// is appended in the same transaction. It is ErrStale if the lease has
	// passed on or the position would go back.
	SaveHook(ctx context.Context, l Lease, h Hook, e Entry) error
}
