package rollout

import (
	"context"
	"errors"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/verdict"
)

// What is recorded is read by many, for ever, and whoever changes a rollout
// chooses when it is recorded. So decisions are made by the exact counts, and
// words and records are in numbers that may be shown.

// seen gives the evidence that people may see when one of them acts. Halting
// works whatever else is broken: without it nothing is recorded as evidence.
func (e *Engine) seen(ctx context.Context, r *Rollout, a Action) (Evidence, error) {
	known, err := e.looking(ctx, r)
	if err != nil && (a == Halt || a == Pause) {
		return Evidence{ApprovalShare: e.ApprovalShare}, nil
	}
	return known, err
}

// looking is reading for what people see. What is left of a part after a
// resumption may be small although the part is not, so it is masked then.
func (e *Engine) looking(ctx context.Context, r *Rollout) (Evidence, error) {
	known, err := e.reading(ctx, r, e.Votes.Shown)
	known.mask = e.Votes.Masked
	return known, err
}

// told is why an action is refused, in the numbers that people may see; what
// only the exact counts stand against is said without a number.
func told(r *Rollout, a Action, f Facts, seen Evidence, refused error) error {
	exact := (*Refusal)(nil)
	if !errors.As(refused, &exact) || exact.Code != api.CodeUndecided && exact.Code != api.CodeVotesNeeded {
		return refused
	}
	f.Evidence = seen
	_, err := r.Apply(a, f)
	if shown := (*Refusal)(nil); errors.As(err, &shown) && shown.Code == exact.Code {
		return err
	}
	return refuse(exact.Code, "votes that are not shown yet stand against it; look again when the numbers have moved on")
}

// recorded is the evidence that the log keeps of what a person did: what people
// could see, unless it would seem that the person went against a verdict.
func recorded(r *Rollout, exact, seen Evidence) Evidence {
	if !r.Unstarted() && r.Judge(seen).Outcome == verdict.Halt && r.Judge(exact).Outcome != verdict.Halt {
		return exact
	}
	return seen
}

// masked is the evidence that the log keeps of what the engine did: without the
// parts that are too small to be shown, unless the verdict rests on one of them.
func (e *Engine) masked(r *Rollout, exact Evidence) Evidence {
	out := exact
	out.mask = e.Votes.Masked
	if r.Unstarted() || r.Judge(out).Outcome == r.Judge(exact).Outcome {
		return out
	}
	return exact
}
