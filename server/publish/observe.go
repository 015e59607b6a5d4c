package publish

import (
	"context"
	"errors"

	"github.com/candor-ota/candor/server/store"
)

// Outcome says how a try to publish ended.
type Outcome string

// The outcomes.
const (
	Moved     Outcome = "moved"     // handsets see something new
	Unchanged Outcome = "unchanged" // nothing was due, or there is no root yet
	Refused   Outcome = "refused"   // what was submitted was not taken
	Elsewhere Outcome = "elsewhere" // another process publishes
	Failed    Outcome = "failed"
)

// Outcomes are all that there are.
var Outcomes = []Outcome{Moved, Unchanged, Refused, Elsewhere, Failed}

// Observe is told when a try to publish begins; the context that it gives is
// that of the try, and the function is called when it has ended, with the error
// of a try that Failed.
type Observe func(ctx context.Context) (context.Context, func(Outcome, error))

// refusal marks what verify said about a submission, on its way out.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func outcome(before, after *Tree, err error) (Outcome, error) {
	var refused refusal
	switch {
	case err == nil && before != after:
		return Moved, nil
	case err == nil || errors.Is(err, ErrNotConfigured):
		return Unchanged, nil
	case errors.As(err, &refused):
		return Refused, nil
	case errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrStale):
		return Elsewhere, nil
	}
	return Failed, err
}
